"""Failures that a test orders from the REST API: errors, slowness, and answers that are lost after the deed."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from local.twilio.rest.errors import RestError

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
HANG_S = 3600.0


@dataclass
class Fault:
    """What happens to the next `times` requests whose path contains `path`.

    The answer comes `delay_s` late (HANG_S: never). With a `status` it is that error, and the request has no effect
    unless it is `carried_out` (the answer alone is lost); without one it is the usual answer.
    """

    path: str = ""
    times: int = 1
    status: int | None = None
    code: int = 20500
    delay_s: float = 0.0
    carried_out: bool = False


class Faults:
    """The faults that are still to happen, first ordered first."""

    def __init__(self) -> None:
        self._ordered: list[Fault] = []

    def order(self, fault: Fault) -> None:
        """Adds one behind the others."""
        self._ordered.append(fault)

    async def pass_through(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Handles a request with the fault that it meets, if any."""
        fault = self._take(request.path)
        if fault is None:
            return await handler(request)
        answer = await handler(request) if fault.carried_out or fault.status is None else None
        await asyncio.sleep(fault.delay_s)
        if fault.status is not None:
            raise RestError(fault.status, fault.code, "This failure was ordered by a test")
        assert answer is not None  # noqa: S101 -- without a status the handler has answered
        return answer

    def _take(self, path: str) -> Fault | None:
        for fault in self._ordered:
            if fault.path in path and fault.times > 0:
                fault.times -= 1
                return fault
        return None
