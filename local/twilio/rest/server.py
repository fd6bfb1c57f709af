"""The REST API of a simulated Twilio on a real HTTP port: who may ask, which resource answers, what fails first."""

from collections.abc import Iterable
from typing import Protocol
from urllib.parse import unquote

from aiohttp import encode_basic_auth, web

from local.twilio.exchange import Exchange
from local.twilio.rest.errors import RestError, not_found
from local.twilio.rest.faults import Faults, Handler
from local.twilio.webhook_fields import API_VERSION

SHUTDOWN_LIMIT_S = 1.0


class Resource(Protocol):
    """A part of the API with routes of its own."""

    def routes(self, root: str) -> list[web.RouteDef]:
        """Its routes below the account's."""


class RestServer:
    """Serves `resources` once `start` is called, at the URL it returns, until `stop`."""

    def __init__(self, exchange: Exchange, resources: Iterable[Resource]) -> None:
        self.faults = Faults()
        self._exchange = exchange
        app = web.Application(middlewares=[self._answer])
        root = f"/{API_VERSION}/Accounts/{exchange.account_sid}"
        for resource in resources:
            app.add_routes(resource.routes(root))
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=SHUTDOWN_LIMIT_S)

    async def start(self, host: str, port: int) -> str:
        """Listens; port 0 takes a free one. Returns the API's URL, which stands for https://api.twilio.com."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        await site.start()
        actual_port = self._runner.addresses[0][1]
        return f"http://{host}:{actual_port}"

    async def stop(self) -> None:
        """Closes the port; requests that hang are cut off after a second."""
        await self._runner.cleanup()

    @web.middleware
    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            self._authenticate(request)
            return await self.faults.pass_through(request, handler)
        except RestError as error:
            return error.response()
        except web.HTTPNotFound:
            return not_found(unquote(request.path)).response()
        except web.HTTPMethodNotAllowed as error:
            return RestError(405, 20004, f"Method not allowed: {error.method}").response()

    def _authenticate(self, request: web.Request) -> None:
        expected = encode_basic_auth(self._exchange.account_sid, self._exchange.auth_token)
        if request.headers.get("Authorization") != expected:
            raise RestError(401, 20003, "Authenticate")
