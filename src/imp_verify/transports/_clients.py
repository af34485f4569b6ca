"""Clients made on first use: for each process, and for each event loop of it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class PerProcess(Generic[T]):
    """One client for each origin, in each process.

    What was made before a fork is neither used nor closed after it: the parent goes on with it.
    """

    def __init__(self, make: Callable[[str], T]) -> None:
        self._make = make
        self._pid = 0
        self._made: dict[str, T] = {}
        self._inherited: list[dict[str, T]] = []  # kept, since collecting them would close them

    def get(self, origin: str) -> T:
        if self._pid != os.getpid():
            self._inherited.append(self._made)
            self._made, self._pid = {}, os.getpid()
        made = self._made
        client = made.get(origin)
        return client if client is not None else made.setdefault(origin, self._make(origin))

    def clear(self) -> list[T]:
        """Forget the clients of this process, and return them to be closed."""
        if self._pid != os.getpid():
            return []
        made, self._made = self._made, {}
        return list(made.values())


class PerLoop(Generic[T]):
    """One client for each origin in each event loop of each process, closed when the loop ends.

    Loops end without telling, except that they close the asynchronous generators begun in them; so
    one of those holds the clients. `asyncio.run`, uvicorn and asgiref all end their loops so.
    """

    def __init__(self, make: Callable[[str], T], close: Callable[[T], Awaitable[None]]) -> None:
        self._make = make
        self._close = close
        self._pid = 0
        self._loops: dict[asyncio.AbstractEventLoop, _Holder[T]] = {}
        self._inherited: list[object] = []

    async def get(self, origin: str) -> T:
        holder = self._loops.get(asyncio.get_running_loop())
        if holder is None or self._pid != os.getpid():
            holder = await self._enter(asyncio.get_running_loop())
        client = holder.made.get(origin)
        if client is None:
            client = holder.made[origin] = self._make(origin)
        return client

    async def close(self) -> None:
        """Close the clients of the running loop."""
        holder = self._loops.get(asyncio.get_running_loop())
        if holder is not None and self._pid == os.getpid():
            await holder.until_closed.aclose()

    async def _enter(self, loop: asyncio.AbstractEventLoop) -> _Holder[T]:
        if self._pid != os.getpid():
            self._inherited.append(self._loops)
            self._loops, self._pid = {}, os.getpid()
        for ended in [each for each in list(self._loops) if each.is_closed()]:
            self._loops.pop(ended, None)
        made: dict[str, T] = {}
        holder = self._loops[loop] = _Holder(made, self._hold(loop, made))
        await anext(holder.until_closed)
        return holder

    async def _hold(
        self, loop: asyncio.AbstractEventLoop, made: dict[str, T]
    ) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            self._loops.pop(loop, None)
            for client in made.values():
                await self._close(client)


class _Holder(Generic[T]):
    """The clients of one loop, and the generator whose end closes them."""

    def __init__(self, made: dict[str, T], until_closed: AsyncGenerator[None, None]) -> None:
        self.made = made
        self.until_closed = until_closed
