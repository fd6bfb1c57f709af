"""Starts calls through a bridge, one after the other, and ends them."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from bench.rig.phone import Phone
from local.stack.process import HOST

A_SECOND: Final = 25
_UP_WITHIN_S: Final = 30
_ENDED_WITHIN_S: Final = 30
_SOCKETS_AT_ONCE: Final = 20


class RunFailedError(Exception):
    """The run failed; the message says why."""


async def bring_up(phones: Sequence[Phone], port: int, a_second: float = A_SECOND) -> None:
    """Starts a call of each phone; returns when all have heard their agents. Raises `RunFailedError` if one fails."""
    async with _tasks(_UP_WITHIN_S + len(phones) / a_second) as tasks:
        for phone in phones:
            tasks.create_task(_call(phone, port))
            await asyncio.sleep(1 / a_second)


async def end(phones: Sequence[Phone], a_second: float = A_SECOND * 2) -> None:
    """Makes the callers hang up; raises `RunFailedError` if the bridge then does not close their streams."""
    for phone in phones:
        phone.hang_up()
        await asyncio.sleep(1 / a_second)
    try:
        async with asyncio.timeout(_ENDED_WITHIN_S):
            for phone in phones:
                await phone.closed
    except TimeoutError as late:
        raise RunFailedError("the bridge does not close the streams of callers who hung up") from late


async def open_sockets(phones: Sequence[Phone], port: int) -> float:
    """Opens the phones' streams, some at a time, without starting calls; returns how many opened per second."""
    waiting = asyncio.Semaphore(_SOCKETS_AT_ONCE)

    async def open_one(phone: Phone) -> None:
        async with waiting:
            await _connect(phone, port)

    loop = asyncio.get_running_loop()
    began = loop.time()
    async with _tasks(_UP_WITHIN_S) as tasks:
        for phone in phones:
            tasks.create_task(open_one(phone))
    return len(phones) / (loop.time() - began)


async def _call(phone: Phone, port: int) -> None:
    await _connect(phone, port)
    phone.start()
    await asyncio.wait([phone.heard_agent, phone.closed], return_when=asyncio.FIRST_COMPLETED)
    if not phone.heard_agent.done():
        raise RunFailedError("a stream was closed before any audio came")


async def _connect(phone: Phone, port: int) -> None:
    await asyncio.get_running_loop().create_connection(lambda: phone, HOST, port)
    await asyncio.wait([phone.opened, phone.closed], return_when=asyncio.FIRST_COMPLETED)
    if not phone.opened.done():
        raise RunFailedError(f"a stream was not opened: {phone.refusal}")


@asynccontextmanager
async def _tasks(within_s: float) -> AsyncIterator[asyncio.TaskGroup]:
    try:
        async with asyncio.timeout(within_s), asyncio.TaskGroup() as tasks:
            yield tasks
    except TimeoutError as late:
        raise RunFailedError(f"not every call came up within {within_s:.0f} s") from late
    except ExceptionGroup as group:
        raise RunFailedError(f"not every call came up: {group.exceptions[0]}") from group
