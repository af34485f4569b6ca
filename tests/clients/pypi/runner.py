"""Runs one client: `python runner.py iamporter`, in the environment that has nothing else.

Each line of the input is a call, each line of the output what the client shows of the gateway's
answer, as far as it shows it: status, code, message and response; or `value`, what a method of its
own gives; or `itself`, the client's own error. Without an address the client keeps the one that it
comes with.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import json
import sys
from typing import Any

Shown = dict[str, Any]


def methods_of(*groups: tuple[str, Any]) -> list[str]:
    return [
        prefix + name
        for prefix, group in groups
        for name, each in vars(group).items()
        if not name.startswith("_") and inspect.isfunction(getattr(group, name, None))
    ]


class Iamporter:
    """kde713's client: one of methods, and one of the paths below it, which takes forms."""

    def __init__(self) -> None:
        self.package = importlib.import_module("iamporter")
        self.api = self.package.api

    def methods(self) -> list[str]:
        parts = vars(self.api).items()
        groups = [(f"{name}.", each) for name, each in parts if inspect.isclass(each)]
        return methods_of(("", self.package.Iamporter), *groups)

    def call(self, url: str | None, key: str, secret: str, method: str, given: Any) -> Shown:
        where = {"imp_url": url} if url else {}
        try:
            group, _, name = method.rpartition(".")
            if not group:
                client = self.package.Iamporter(key, secret, **where)
                return {"response": getattr(client, name)(**given)}
            auth = self.package.IamportAuth(key, secret, **where)
            part = getattr(self.api, group)(auth, **where)
            return self.shown(getattr(part, name)(**given))
        except self.package.errors.ImpApiError as error:
            return self.shown(error.response)
        except self.package.errors.ImpUnAuthorized as error:
            return {"status": 401, "message": error.message}

    def shown(self, answer: Any) -> Shown:
        return {"status": answer.status, **answer.raw}


def read(method: str, answer: Any) -> Shown:
    """Tell what a method gave: what is no object of the gateway's is the client's own."""
    own = method == "get_headers" or not isinstance(answer, dict)
    return {"value" if own else "response": answer}


class IamportRestClient:
    """I'mport's own client."""

    def __init__(self) -> None:
        self.client = importlib.import_module("iamport").Iamport

    def methods(self) -> list[str]:
        return methods_of(("", self.client))

    def call(self, url: str | None, key: str, secret: str, method: str, given: Any) -> Shown:
        client = self.client(key, secret, **({"imp_url": f"{url}/"} if url else {}))
        try:
            return read(method, getattr(client, method)(**given))
        except self.client.HttpError as error:
            return {"status": error.code}
        except self.client.ResponseError as error:
            return {"status": 200, "code": error.code, "message": error.message}


class AsyncIamport:
    """The same for asyncio, by somebody else."""

    def __init__(self) -> None:
        self.package = importlib.import_module("async_iamport")

    def methods(self) -> list[str]:
        return methods_of(("", self.package.AsyncIamport))

    def call(self, url: str | None, key: str, secret: str, method: str, given: Any) -> Shown:
        return asyncio.run(self.awaited(url, key, secret, method, given))

    async def awaited(
        self, url: str | None, key: str, secret: str, method: str, given: Any
    ) -> Shown:
        where = {"imp_url": url} if url else {}
        client = self.package.AsyncIamport(imp_key=key, imp_secret=secret, **where)
        try:
            return read(method, await getattr(client, method)(**given))
        except self.package.HttpError as error:
            return {"status": error.code}
        except self.package.ResponseError as error:
            return {"status": 200, "code": error.code, "message": error.message}
        finally:
            await client.close_session()


CLIENTS = {
    "iamporter": Iamporter,
    "iamport-rest-client": IamportRestClient,
    "async-iamport": AsyncIamport,
}


def answer(client: Any, line: dict[str, Any]) -> Any:
    if "list" in line:
        return client.methods()
    try:
        names = ("url", "key", "secret", "method", "kwargs")
        return client.call(*(line.get(name) for name in names))
    except Exception as error:
        return {"itself": f"{type(error).__name__}: {error}"}


def main() -> None:
    client = CLIENTS[sys.argv[1]]()
    for line in sys.stdin:
        print(json.dumps(answer(client, json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
