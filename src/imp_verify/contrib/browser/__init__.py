"""The buyer's half: a pay button for any page, and the code to write one by hand. Names only, no
code."""

from ._button import ButtonOptions, Place, async_button, button, config
from ._inert import Markup, to_json
from ._orders import PaymentOptions, find_order
from ._snippets import FLAVORS, snippet

__all__ = [
    "FLAVORS",
    "ButtonOptions",
    "Markup",
    "PaymentOptions",
    "Place",
    "async_button",
    "button",
    "config",
    "find_order",
    "snippet",
    "to_json",
]
