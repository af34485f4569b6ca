"""All targets, by name. Names only, no code."""

from __future__ import annotations

from .addresses import ADDRESSES
from .gateway import DELIVERY, ENVELOPE, PAYMENT
from .pages import BUTTON, LANDING, PAGE, SNIPPET
from .requests import BODY, FORMS, MULTIPART, NOTICE, QUERY
from .senders import FORWARDED
from .target import Target
from .values import AMOUNTS, IDS

__all__ = ["TARGETS"]

TARGETS: dict[str, Target] = {
    each.name: each
    for each in (
        *(BODY, QUERY, MULTIPART, NOTICE, FORMS, IDS, AMOUNTS, ENVELOPE, PAYMENT, DELIVERY),
        *(FORWARDED, ADDRESSES, BUTTON, SNIPPET, PAGE, LANDING),
    )
}
