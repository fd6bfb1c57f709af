"""How a socket is closed that nobody reads any more."""

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from websockets.exceptions import ConnectionClosed

if TYPE_CHECKING:
    from websockets.asyncio.server import ServerConnection


async def close_unread(stream: "ServerConnection", code: int = 1000, reason: str = "") -> None:
    """Closes a socket whose peer may go on sending, without waiting any longer than for its answer.

    Twilio sends fifty frames a second until it learns of the end. Of those that come unread, `websockets` keeps
    sixteen and then stops reading; the peer's answer would wait behind them until the time limit, and the caller too.
    """
    reading = asyncio.create_task(_discard(stream))
    await stream.close(code, reason)
    await reading  # there is no more to read from a socket that is closed


async def _discard(stream: "ServerConnection") -> None:
    with suppress(ConnectionClosed):
        while True:
            await stream.recv(decode=False)
