"""A gateway for the benchmarks alone, in a process of its own, where any payment is paid: what it
costs must be little and the same at every call, so it is neither the sandbox, which has a state and
a journal, nor the tests' scripted one, which keeps every request."""

from __future__ import annotations

import argparse
import asyncio
import sys
from typing import cast

import uvloop

_TOKEN = b'{"code":0,"message":null,"response":{"access_token":"%s","now":1,"expired_at":1801}}'
_TOKEN_BODY = _TOKEN % (b"a" * 40)
_PAYMENT = (
    b'{"code":0,"message":null,"response":{"amount":39000,"apply_num":"12345678","bank_code":null,'
    b'"bank_name":null,"buyer_addr":null,"buyer_email":"a@example.com","buyer_name":"\xed\x99\x8d",'
    b'"buyer_postcode":null,"buyer_tel":"010-0000-0000","cancel_amount":0,"cancel_history":[],'
    b'"cancel_reason":null,"cancelled_at":0,"card_code":"361","card_name":"BC","card_number":null,'
    b'"card_quota":0,"card_type":0,"cash_receipt_issued":false,"channel":"pc","currency":"KRW",'
    b'"custom_data":null,"customer_uid":null,"customer_uid_usage":null,"emb_pg_provider":null,'
    b'"escrow":false,"fail_reason":null,"failed_at":0,"imp_uid":"%s","merchant_uid":"%s",'
    b'"name":"order","paid_at":1735700000,"pay_method":"card","pg_id":"pg","pg_provider":"nice_v2",'
    b'"pg_tid":"tid","receipt_url":"https://example.com/","sandbox":false,"started_at":1735699990,'
    b'"status":"paid","user_agent":"x","vbank_code":null,"vbank_date":0,"vbank_holder":null,'
    b'"vbank_issued_at":0,"vbank_name":null,"vbank_num":null}}'
)
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"


class Gateway(asyncio.Protocol):
    """Answers one request after the other; payment imp_X is of order ORD-X.

    Attributes:
        delay: Seconds from a request to its answer.
    """

    delay = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start with nothing read."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass
        self._read = b""

    def data_received(self, data: bytes) -> None:
        """Answer every request that is complete."""
        self._read += data
        while (end := self._read.find(b"\r\n\r\n")) >= 0:
            head = self._read[:end]
            length = 0
            for line in head.split(b"\r\n")[1:]:
                name, _, value = line.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
            if len(self._read) < end + 4 + length:
                return
            self._read = self._read[end + 4 + length :]
            path = head.split(b" ", 2)[1]
            body = _TOKEN_BODY
            if path.startswith(b"/payments/"):
                number = path.rpartition(b"/")[2].partition(b"?")[0].removeprefix(b"imp_")
                body = _PAYMENT % (b"imp_" + number, b"ORD-" + number)
            self._answer(_HEAD % (len(body), body))

    def _answer(self, answer: bytes) -> None:
        if self.delay:
            asyncio.get_running_loop().call_later(self.delay, self._transport.write, answer)
        else:
            self._transport.write(answer)


async def main() -> None:
    """Serve until standard input ends, after printing the port."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Gateway, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    _ = parser.add_argument("--delay", type=float, default=0.0, help="seconds for an answer")
    Gateway.delay = parser.parse_args().delay
    uvloop.run(main())
