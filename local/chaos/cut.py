"""A TCP proxy between the workers and AWS that can be cut."""

import asyncio
import contextlib

from local.stack.connections import Ends, Listener, join
from local.stack.process import HOST


class Line(Listener):
    """Listens inside its context; `url` forwards to the port `leads_to`, and drops every connection while it is cut."""

    def __init__(self) -> None:
        super().__init__(self._lead)
        self.leads_to = 0
        self._whole = True

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def cut(self) -> None:
        """Drops all connections, and refuses new ones until `mend`."""
        self._whole = False
        self.drop_all()

    def mend(self) -> None:
        """Accepts connections again."""
        self._whole = True

    async def _lead(self, front: Ends) -> None:
        if not self._whole:
            return
        with contextlib.suppress(OSError):
            behind = await asyncio.open_connection(HOST, self.leads_to)
            with contextlib.closing(behind[1]):
                await join(front, behind)
