"""A line that can be cut: it leads the workers to AWS."""

import asyncio
import contextlib
from types import TracebackType
from typing import Self

from local.connections import Ends, Listener, join
from local.process import HOST


class Line:
    """Listens inside of its context; `url` leads to `port` while it is whole, and drops every connection while cut."""

    def __init__(self) -> None:
        self.port = 0
        self._whole = True
        self._listener = Listener(self._lead)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self._listener.port}"

    def cut(self) -> None:
        """From now on nobody gets through, and whoever was through is not any more."""
        self._whole = False
        self._listener.drop_all()

    def mend(self) -> None:
        """Lets everybody through again."""
        self._whole = True

    async def __aenter__(self) -> Self:
        await self._listener.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._listener.__aexit__(kind, error, trace)

    async def _lead(self, front: Ends) -> None:
        if not self._whole:
            return
        with contextlib.suppress(OSError):
            behind = await asyncio.open_connection(HOST, self.port)
            with contextlib.closing(behind[1]):
                await join(front, behind)
