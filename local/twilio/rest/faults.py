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
    """What happens to the next `times` requests whose path contains `path`, made with `method` if one is named.

    The answer comes `delay_s` late (HANG_S: never). With a `status` it is that error, and when the connection `closes`
    there is none; then the request has no effect unless it is `carried_out`. Without both it is the usual answer.
    """

    path: str = ""
    times: int = 1
    status: int | None = None
    code: int = 20500
    delay_s: float = 0.0
    carried_out: bool = False
    method: str | None = None
    closes: bool = False


class Faults:
    """The faults that are still to happen, first ordered first."""

    def __init__(self) -> None:
        self._ordered: list[Fault] = []

    def order(self, fault: Fault) -> None:
        """Adds one behind the others."""
        self._ordered.append(fault)

    async def pass_through(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Handles a request with the fault that it meets, if any."""
        fault = self._take(request)
        if fault is None:
            return await handler(request)
        failing = fault.closes or fault.status is not None
        answer = await handler(request) if fault.carried_out or not failing else None
        await asyncio.sleep(fault.delay_s)
        if fault.closes and request.transport is not None:
            request.transport.abort()
            raise asyncio.CancelledError  # there is nobody to answer any more
        if fault.status is not None:
            raise RestError(fault.status, fault.code, "This failure was ordered by a test")
        assert answer is not None  # noqa: S101 -- when nothing fails the handler has answered
        return answer

    def _take(self, request: web.Request) -> Fault | None:
        for fault in self._ordered:
            if fault.path in request.path and fault.method in (None, request.method) and fault.times > 0:
                fault.times -= 1
                return fault
        return None
