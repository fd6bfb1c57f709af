"""The simulated Realtime service: a websockets server that admits clients as the real one does, and gives each its
own session."""

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response

from local.audio.recogniser import Recogniser, Sphinx
from local.audio.speech import speak as speak_aloud
from local.model.brain import Brain
from local.model.configuration import OTHER_MODELS, REASONING_MODELS, Configuration
from local.model.conversation import Conversation
from local.model.faults import Faults, RefuseHandshake, SlowHandshake
from local.model.front_desk import FrontDesk
from local.model.response import Stage
from local.model.session import Refusal, Session
from local.model.wire import Wire

PATH = "/v1/realtime"
LARGEST_MESSAGE = 24 * 1024 * 1024  # 15 MiB of audio in base64, and the JSON around it
SESSION_S = 3600.0


class SimulatedModel:
    """A Realtime service on this machine, as an async context manager; `url` is its OPENAI_BASE_URL.

    `brain` (default: a `FrontDesk`) answers in every session; a callable makes one for each session. The `recogniser`
    (default: `Sphinx`) recognises the callers' words. `speak` returns mu-law for a text, and runs in a thread. Audio is
    streamed `pace` times faster than real time, in deltas of `delta_ms`; a session expires after `session_s`.
    """

    def __init__(
        self,
        *,
        brain: Brain | Callable[[], Brain] | None = None,
        recogniser: Recogniser | None = None,
        speak: Callable[[str], bytes] = speak_aloud,
        host: str = "127.0.0.1",
        port: int = 0,
        pace: float = 4.0,
        delta_ms: int = 300,
        session_s: float = SESSION_S,
    ) -> None:
        self.sessions: list[Session] = []
        self.faults = Faults()
        self._brain, self._recogniser, self._speak = brain or FrontDesk(), recogniser or Sphinx(), speak
        self._host, self._port = host, port
        self._pace, self._delta_ms, self._session_s = pace, delta_ms, session_s
        self._server: Server
        self._changed = asyncio.Event()
        self._closing = asyncio.Event()

    @property
    def url(self) -> str:
        """The OPENAI_BASE_URL for clients."""
        return f"http://{self._host}:{self._port}/v1"

    @property
    def refusals(self) -> list[Refusal]:
        """The refused events of all clients."""
        return [refusal for session in self.sessions for refusal in session.refusals]

    async def __aenter__(self) -> Self:
        self._server = await serve(
            self._serve,
            self._host,
            self._port,
            process_request=self._admit,
            compression=None,
            max_size=LARGEST_MESSAGE,
            open_timeout=None,
        )
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._server.close()
        await self._server.wait_closed()

    async def session(self, number: int = 1) -> Session:
        """Waits for the `number`th session of this model, and returns it."""
        while len(self.sessions) < number:
            await self._changed.wait()
        return self.sessions[number - 1]

    async def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        target = urlsplit(request.path)
        if slow := self.faults.take(SlowHandshake):
            await (self._never_answer(connection) if slow.for_ever else asyncio.sleep(slow.seconds))
        if refuse := self.faults.take(RefuseHandshake):
            return connection.respond(HTTPStatus(refuse.status), "The simulated service was told to refuse this.\n")
        if target.path != PATH:
            return connection.respond(HTTPStatus.NOT_FOUND, f"There is only {PATH} here.\n")
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not key.strip():
            return connection.respond(HTTPStatus.UNAUTHORIZED, "Missing bearer authentication in header.\n")
        if not parse_qs(target.query).get("model"):
            return connection.respond(HTTPStatus.BAD_REQUEST, "You must provide a model parameter.\n")
        return None

    async def _never_answer(self, connection: ServerConnection) -> None:
        """Waits until the client gives up or the server stops."""
        ends = {asyncio.ensure_future(connection.wait_closed()), asyncio.ensure_future(self._closing.wait())}
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        for end in ends:
            end.cancel()

    async def _serve(self, connection: ServerConnection) -> None:
        assert connection.request is not None, "a served connection has had its handshake"  # noqa: S101 - for mypy
        model = parse_qs(urlsplit(connection.request.path).query)["model"][0]
        stage = self._stage(connection)
        if "OpenAI-Beta" in connection.request.headers:
            await _turn_away(stage.wire, "beta_api_shape_disabled", "The Realtime Beta API is no longer supported.")
        elif model not in REASONING_MODELS + OTHER_MODELS:
            await _turn_away(stage.wire, "model_not_found", f"The model '{model}' does not exist.")
        else:
            session = Session(connection, Configuration(model, lifetime_s=self._session_s), stage, self._recogniser)
            self.sessions.append(session)
            self._changed.set()
            self._changed = asyncio.Event()
            await session.run()

    def _stage(self, connection: ServerConnection) -> Stage:
        brain = self._brain() if callable(self._brain) else self._brain
        return Stage(
            wire=Wire(connection),
            conversation=Conversation(),
            brain=brain,
            faults=Faults(self.faults),
            speak=self._in_thread(self._speak),
            pace=self._pace,
            delta_ms=self._delta_ms,
        )

    @staticmethod
    def _in_thread(speak: Callable[[str], bytes]) -> Callable[[str], Awaitable[bytes]]:
        return lambda text: asyncio.to_thread(speak, text)


async def _turn_away(wire: Wire, code: str, message: str) -> None:
    """Accepts the socket, sends an error and closes it, as the real service does for some errors."""
    error = {"type": "invalid_request_error", "code": code, "message": message, "param": None, "event_id": None}
    await wire.send("error", error=error)
    await wire.close(4000, f"invalid_request_error.{code}")
