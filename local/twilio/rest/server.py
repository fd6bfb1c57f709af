"""The REST API of a simulated Twilio on a real HTTP port: authentication, routes and injected failures."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import unquote

from aiohttp import encode_basic_auth, web

from local.stack.process import HOST
from local.twilio.exchange import Exchange
from local.twilio.webhook import API_VERSION

SHUTDOWN_LIMIT_S = 1.0
NOT_SIMULATED = 501
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class RestError(Exception):
    """A request that Twilio refuses, with an HTTP status and one of Twilio's codes."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message

    def response(self) -> web.Response:
        """The error response in Twilio's JSON format."""
        body = {
            "code": self.code,
            "message": self.message,
            "more_info": f"https://www.twilio.com/docs/errors/{self.code}",
            "status": self.status,
        }
        headers = {"Retry-After": "1"} if self.status == web.HTTPTooManyRequests.status_code else None
        return web.json_response(body, status=self.status, headers=headers)


def not_found(path: str) -> RestError:
    """The refusal of a resource that does not exist."""
    return RestError(404, 20404, f"The requested resource {path} was not found")


def not_simulated(what: str) -> RestError:
    """The refusal of what Twilio can do and this simulation cannot; Twilio never sends this status."""
    return RestError(NOT_SIMULATED, 20001, f"{what} not simulated")


class Resource(Protocol):
    """A part of the API with its own routes."""

    def routes(self, root: str) -> list[web.RouteDef]:
        """Its routes, under the account's path."""


@dataclass
class Fault:
    """A failure of the next `times` requests whose path contains `path`; with a `method`, only of those made with it.

    The answer comes `delay_s` late. With a `status` it is that error; with `closes` the connection is closed without an
    answer. In both cases the request has no effect unless `carried_out`. Without both, the answer is the usual one.
    """

    path: str = ""
    times: int = 1
    status: int | None = None
    code: int = 20500
    delay_s: float = 0.0
    carried_out: bool = False
    method: str | None = None
    closes: bool = False

    async def pass_through(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Handles a request that the fault applies to."""
        failing = self.closes or self.status is not None
        answer = await handler(request) if self.carried_out or not failing else None
        await asyncio.sleep(self.delay_s)
        if self.closes and request.transport is not None:
            request.transport.abort()
            raise asyncio.CancelledError  # the connection is closed, so there is no answer
        if self.status is not None:
            raise RestError(self.status, self.code, "A test injected this failure")
        assert answer is not None  # noqa: S101 -- without an error the handler has answered
        return answer


class RestServer:
    """Serves `resources` from `start`, which returns the URL, until `stop`.

    `faults` have yet to happen; the oldest comes first.
    """

    def __init__(self, exchange: Exchange, resources: Iterable[Resource]) -> None:
        self.faults: list[Fault] = []
        self._exchange = exchange
        self._root = f"/{API_VERSION}/Accounts/{exchange.account_sid}"
        app = web.Application(middlewares=[self._answer])
        for resource in resources:
            app.add_routes(resource.routes(self._root))
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=SHUTDOWN_LIMIT_S)

    async def start(self) -> str:
        """Listens on a free port. Returns the API's URL, which replaces https://api.twilio.com."""
        await self._runner.setup()
        await web.TCPSite(self._runner, HOST, 0).start()
        return f"http://{HOST}:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        """Closes the port; requests that hang are dropped after a second."""
        await self._runner.cleanup()

    @web.middleware
    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            self._authenticate(request)
            fault = self._fault(request)
            return await (fault.pass_through(request, handler) if fault else handler(request))
        except RestError as error:
            return error.response()
        except (web.HTTPNotFound, web.HTTPMethodNotAllowed):
            if request.path.startswith(f"{self._root}/"):
                return not_simulated(f"{request.method} {request.path} is").response()
            return not_found(unquote(request.path)).response()

    def _authenticate(self, request: web.Request) -> None:
        expected = encode_basic_auth(self._exchange.account_sid, self._exchange.auth_token)
        if request.headers.get("Authorization") != expected:
            raise RestError(401, 20003, "Authenticate")

    def _fault(self, request: web.Request) -> Fault | None:
        for fault in self.faults:
            if fault.path in request.path and fault.method in (None, request.method) and fault.times > 0:
                fault.times -= 1
                return fault
        return None
