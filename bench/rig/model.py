"""The model's end of the calls: a Realtime server that follows a script and ignores what the caller says."""

import asyncio
import itertools
import json
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from websockets.server import ServerProtocol

from bench.rig import model_events
from bench.rig.gauges import Gauges
from bench.rig.model_events import Answer
from bench.rig.stamp import Hearing, Payload, frame_stamps
from bench.rig.tls import Tls
from bench.rig.websocket import WebSocket


@dataclass(frozen=True)
class Script:
    """A conversation: the agent speaks, the caller interrupts and speaks, the agent answers, and so on.

    With the defaults the agent speaks about half of the time, and the last 600 ms of an answer are never heard.
    """

    delta_ms: int = 200  # audio in one delta
    deltas: int = 15
    ahead: int = 4  # how many times faster than real time the model sends audio
    interrupted_after_ms: int = 2400  # counted from the first delta; all deltas have been sent by then
    caller_speaks_ms: int = 2600

    def __post_init__(self) -> None:
        sent_ms = self.deltas * self.delta_ms
        if not sent_ms / self.ahead < self.interrupted_after_ms < sent_ms:
            raise ValueError(
                f"interrupted_after_ms is {self.interrupted_after_ms}, must be after the last delta is sent "
                f"({sent_ms / self.ahead:.0f}) and before it is played ({sent_ms})"
            )

    @property
    def turn_ms(self) -> int:
        """The time from one answer of the agent to the next."""
        return self.interrupted_after_ms + self.caller_speaks_ms


@dataclass(frozen=True)
class Distance:
    """The model's delay: of a handshake, and of a request's round trip after that."""

    round_trip_s: float = 0.0
    handshake_s: float = 0.0


class ModelSession(WebSocket):
    """One session. Its audio is stamped with its `serial`; what it hears is stamped with a call's number."""

    def __init__(self, serial: int, script: Script, gauges: Gauges, distance: Distance, tls: Tls | None = None) -> None:
        super().__init__(ServerProtocol(), tls)
        self.serial = serial
        self.hearing = Hearing()
        self.deltas_sent = 0
        self.interruptions = 0
        self.interrupted_ns: int | None = None  # when the caller last began to speak
        self.ready_ns: int | None = None  # when its configuration was first as the bridge requested
        self._script = script
        self._gauges = gauges
        self._distance = distance
        self._payload = Payload(script.delta_ms)
        self._conversation: asyncio.Task[None] | None = None

    def is_open(self) -> None:
        self.send(model_events.CREATED)

    def shake_hands(self, data: bytes) -> None:
        if not self._distance.handshake_s:
            super().shake_hands(data)
        else:  # the client sends nothing more before the answer
            asyncio.get_running_loop().call_later(self._distance.handshake_s, super().shake_hands, data)

    def receives(self, message: bytes) -> None:
        if self.hears(message):
            return
        event = json.loads(message)
        if self._distance.round_trip_s:
            asyncio.get_running_loop().call_later(self._distance.round_trip_s, self._obey, event)
        else:
            self._obey(event)

    def hears(self, message: bytes) -> bool:
        """Records the caller's audio; False if the message is not audio."""
        heard = frame_stamps(message)
        for stamp in heard:
            self.hearing.hear(stamp)
            if self._gauges.recording:
                self._gauges.to_model.append(time.monotonic_ns() - stamp.sent_ns)
        return bool(heard)

    def piece(self, _number: int) -> bytes:
        """The payload of an answer's next delta."""
        self.deltas_sent += 1
        return self._payload.stamped(self.serial, self.deltas_sent - 1)

    def connection_lost(self, exc: Exception | None) -> None:
        self.fall_silent()
        super().connection_lost(exc)

    def fall_silent(self) -> None:
        """Stops the conversation."""
        if self._conversation is not None:
            self._conversation.cancel()

    def _obey(self, event: dict[str, Any]) -> None:
        match event["type"]:
            case "session.update":
                self.send(model_events.session_updated(event["session"]))
                self.ready_ns = self.ready_ns or time.monotonic_ns()
            case "response.create" if self._conversation is None:
                metadata = event.get("response", {}).get("metadata")
                self._conversation = asyncio.create_task(self._converse(metadata))
            case "response.create":
                self._gauges.refusals += 1
                self.send(model_events.REFUSED)
            case "conversation.item.truncate":
                self.send(model_events.truncated(event))
            case "conversation.item.create":
                for answer in model_events.item_created(event["item"]):
                    self.send(answer)
            case "conversation.item.retrieve":
                self.send(model_events.retrieved(event["item_id"]))
            # `response.cancel` is ignored: by then every answer is complete. The real model would answer with an
            # error, which puts a bridge that requests a response after each error into a loop.

    async def _converse(self, metadata: dict[str, str] | None) -> None:
        loop = asyncio.get_running_loop()
        for turn in itertools.count(1):
            began = loop.time()
            await self._speak(Answer(turn, metadata if turn == 1 else None), began)
            await asyncio.sleep(began + self._script.interrupted_after_ms / 1000 - loop.time())
            self.interruptions += 1
            self.interrupted_ns = time.monotonic_ns()
            self.send(model_events.speech_started(f"item_caller_{turn}"))
            await asyncio.sleep(began + self._script.turn_ms / 1000 - loop.time())
            for event in model_events.speech_ended(f"item_caller_{turn}"):
                self.send(event)

    async def _speak(self, answer: Answer, began: float) -> None:
        loop = asyncio.get_running_loop()
        for event in answer.beginning():
            self.send(event)
        for number in range(self._script.deltas):
            await asyncio.sleep(began + number * self._script.delta_ms / self._script.ahead / 1000 - loop.time())
            self.send(answer.delta(self.piece(number)))
            self.send(answer.words)
        for event in answer.end():
            self.send(event)


NewSession = Callable[[int, Script, Gauges, Distance, Tls | None], ModelSession]


class Model:
    """Serves sessions on a port of this machine; `sessions` are all so far, by serial."""

    def __init__(
        self, script: Script, gauges: Gauges, distance: Distance | None = None, new_session: NewSession = ModelSession
    ) -> None:
        self.sessions: list[ModelSession] = []
        self._script = script
        self._gauges = gauges
        self._distance = distance or Distance()
        self._new_session = new_session
        self._context: ssl.SSLContext | None = None

    async def serve(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> asyncio.Server:
        self._context = tls
        return await asyncio.get_running_loop().create_server(self._session, host, port, backlog=1024)

    def _session(self) -> ModelSession:
        tls = Tls(self._context) if self._context else None
        session = self._new_session(len(self.sessions), self._script, self._gauges, self._distance, tls)
        self.sessions.append(session)
        return session
