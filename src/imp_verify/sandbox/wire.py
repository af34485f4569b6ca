"""A call of the API and its answer as values, whatever carries them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from imp_verify.sandbox.errors import Refused
from imp_verify.sandbox.exact import dumps
from imp_verify.sandbox.waits import Waits

JSON = "application/json"
LONGEST_BODY = 1024 * 1024
"""Of a call. Who carries it need not read more than a byte over."""


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """One call.

    Attributes:
        method: In capitals.
        path: As it was sent, undecoded and without the query: `a%2Fb` is one segment, not two.
        query: As it was sent, without the question mark.
        headers: Names in any case, with their values.
        body: All of it, or LONGEST_BODY and a byte.
    """

    method: str
    path: str
    query: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    def header(self, name: str) -> str:
        """Return a header's first value, empty where there is none; name is in lower case."""
        return next((value for known, value in self.headers if known.lower() == name), "")


@dataclass(frozen=True, slots=True)
class Way:
    """What becomes of an answer on its way; who carries it does that.

    Attributes:
        lost: The connection ends before it.
        truncate: After so many bytes of its body the connection ends.
        reset: The connection ends before it, by RST.
        delay: Seconds before its first byte.
        drip: Bytes of it in a second; None for all at once.
        drip_headers: Whether its headers come so slowly already.
        waits: Ends what delay and drip wait for: the rest then goes at once.
    """

    lost: bool = False
    truncate: int | None = None
    reset: bool = False
    delay: float = 0
    drip: float | None = None
    drip_headers: bool = False
    waits: Waits = field(default_factory=Waits, compare=False)

    @property
    def is_whole(self) -> bool:
        """Whether all of it arrives, in one write, be it late."""
        return not (self.lost or self.reset) and self.truncate is None and self.drip is None


WHOLE = Way()
"""The way on which nothing happens."""


@dataclass(frozen=True, slots=True)
class ApiAnswer:
    """The answer to one call, and what becomes of it on its way."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = (("Content-Type", f"{JSON};charset=UTF-8"),)
    way: Way = WHOLE

    def with_header(self, name: str, value: str) -> ApiAnswer:
        """Return it with one header more."""
        return replace(self, headers=(*self.headers, (name, value)))


def envelope(
    response: object, *, code: int = 0, message: str | None = None, status: int = 200
) -> ApiAnswer:
    """Write the gateway's envelope."""
    content = {"code": code, "message": message, "response": response}
    return ApiAnswer(status, dumps(content).encode())


def refusal(error: Refused) -> ApiAnswer:
    """Write a refusal."""
    return envelope(None, code=error.code, message=error.message, status=error.status)
