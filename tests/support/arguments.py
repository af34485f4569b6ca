"""What both verifiers take besides a store and a transport, for helpers that hand it on."""

from collections.abc import Iterable, Mapping
from typing import TypedDict

from imp_verify import Checkout, Credentials, Landing


class VerifierArguments(TypedDict, total=False):
    credentials: Credentials | None
    accounts: Mapping[str, Credentials] | None
    base_url: str | None
    test_mode: bool | None
    timeout: float
    max_lookups: int
    landing: Landing | None
    checkout: Checkout | Mapping[str, Checkout] | None
    public_url: str | None
    language: str
    confirm_lookup: bool
    confirm_timeout: float
    cancel_timeout: float
    give_back: Iterable[str]
    webhook_sources: Iterable[str] | None
    trusted_proxies: Iterable[str] | None
