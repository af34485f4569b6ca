"""The sandbox's pages as text. Names only, no code."""

from imp_verify.sandbox.pages.control import control
from imp_verify.sandbox.pages.log import overview
from imp_verify.sandbox.pages.markup import Html, html
from imp_verify.sandbox.pages.payment import payment
from imp_verify.sandbox.pages.window import finished, leaving, window

__all__ = ["Html", "control", "finished", "html", "leaving", "overview", "payment", "window"]
