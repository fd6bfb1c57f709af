"""Fixtures: a worker on real sockets, between the simulated model and a media stream driven by the test."""

import asyncio
import json
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import boto3
import pytest
from openai.types.realtime import RealtimeClientEvent
from pydantic import SecretStr, TypeAdapter
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from local.audio.recogniser import Dictated
from local.audio.speech import silence, tone
from local.model import Scripted, SimulatedModel
from local.stack.emulator import Emulator
from local.stack.process import free_port
from shared.agents import Agents
from shared.calls import stream_token
from shared.calls.store import CallStore
from shared.escalations.queue import EscalationQueue
from shared.escalations.store import EscalationStore
from tests.worker.dialogue import agent
from worker.service.server import Service
from worker.service.task_protection import TaskProtection
from worker.settings import WorkerSettings
from worker.storage import Storage

SIGNING_KEY = SecretStr("a signing key for the tests")
AUTH_TOKEN = "twilio's auth token"
CALL_SID = "CA" + "1" * 32

_client_events: TypeAdapter[Any] = TypeAdapter(RealtimeClientEvent)


@dataclass
class Phone:
    """One media stream driven by the test: sends what Twilio would send, and keeps everything that comes back."""

    stream: ClientConnection
    received: list[dict[str, Any]] = field(default_factory=list)
    _reader: asyncio.Task[None] | None = None
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self._reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        try:
            async for message in self.stream:
                self.received.append(json.loads(message))
                self._changed.set()
        except ConnectionClosed:
            pass  # tests check `close_code`
        self._changed.set()

    async def send(self, event: str, **fields: Any) -> None:
        await self.stream.send(json.dumps({"event": event, "streamSid": "MZ1", **fields}))

    async def start(self, token: str | None = None, call_sid: str = CALL_SID, **parameters: str) -> Self:
        """Sends `connected` and `start`, with a new token unless one is given."""
        token = stream_token.sign(SIGNING_KEY, call_sid) if token is None else token
        custom = {"token": token, "caller": "+15550000001", "called": "+15550000002", **parameters}
        media = {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1}
        await self.send("connected", protocol="Call", version="1.0.0")
        body = {"streamSid": "MZ1", "callSid": call_sid, "mediaFormat": media, "customParameters": custom}
        await self.send("start", start=body)
        return self

    async def say(self, audio: bytes) -> None:
        """Sends audio in frames of 20 ms without pauses: the simulated model measures audio, not time."""
        for at in range(0, len(audio), 160):
            frame = b64encode(audio[at : at + 160]).decode()
            await self.send("media", media={"track": "inbound", "payload": frame})

    async def speak(self, ms: int = 600) -> None:
        """Sends a caller's turn: a tone that voice activity detection takes for speech, and then silence."""
        await self.say(tone(ms, 440) + silence(900))

    def of(self, event: str) -> list[dict[str, Any]]:
        return [message for message in self.received if message["event"] == event]

    async def wait(self, done: Callable[[], bool]) -> None:
        """Waits until `done`, which is checked at every message."""
        async with asyncio.timeout(20):
            while not done():
                self._changed.clear()
                if done():
                    return
                await self._changed.wait()

    async def wait_for(self, event: str, count: int = 1) -> list[dict[str, Any]]:
        await self.wait(lambda: len(self.of(event)) >= count)
        return self.of(event)

    async def hear_all(self) -> None:
        """Echoes all marks, as if everything that has arrived was played."""
        for mark in self.of("mark"):
            await self.send("mark", mark=mark["mark"])

    async def echo_marks(self, done: Callable[[], bool] = lambda: False) -> None:
        """Echoes every mark at once, until the stream closes or `done`."""
        echoed = 0
        while not self.closed and not done():
            for mark in self.of("mark")[echoed:]:
                echoed += 1
                try:
                    await self.send("mark", mark=mark["mark"])
                except ConnectionClosed:
                    return
            await asyncio.sleep(0.01)

    @property
    def closed(self) -> bool:
        return self._reader is not None and self._reader.done()

    async def wait_closed(self) -> int | None:
        async with asyncio.timeout(20):
            await self.stream.wait_closed()
        return self.stream.close_code


@dataclass
class Rig:
    """A running worker, its model, and its stores."""

    worker: Service
    model: SimulatedModel
    brain: Scripted
    store: CallStore
    escalations: EscalationStore
    port: int
    queue_messages: Callable[[], list[dict[str, Any]]]
    stop: asyncio.Event

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/media-stream"

    @asynccontextmanager
    async def phone(self, **headers: str) -> AsyncIterator[Phone]:
        async with connect(self.url, additional_headers=headers, compression=None) as stream:
            yield Phone(stream)


RigFactory = Callable[..., Any]


@pytest.fixture
def rig(emulator: Emulator, table: str, queue: str) -> RigFactory:
    """Makes a `Rig`: `async with rig(Say(...), agent_changes={...}) as running`."""

    @asynccontextmanager
    async def make(
        *responses: Any,
        otherwise: Any = None,
        words: tuple[str, ...] = (),
        agent_changes: dict[str, Any] | None = None,
        settings: dict[str, Any] | None = None,
        model: dict[str, Any] | None = None,
        refusals: bool = False,
        protection: TaskProtection | None = None,
    ) -> AsyncIterator[Rig]:
        brain = Scripted(*responses, **({} if otherwise is None else {"otherwise": otherwise}))
        connection = emulator.connection
        dynamodb = boto3.client("dynamodb", **connection)
        store, escalations = CallStore(table, dynamodb), EscalationStore(table, dynamodb)
        sqs = boto3.client("sqs", **connection)
        storage = Storage(store, EscalationQueue(queue, sqs), escalations)

        def messages() -> list[dict[str, Any]]:
            found = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
            return [json.loads(message["Body"]) for message in found]

        simulated = SimulatedModel(brain=brain, recogniser=Dictated(*words), pace=50, **(model or {}))
        async with simulated:
            chosen = worker_settings(table, queue, simulated.url, **(settings or {}))
            watches = [protection.watch] if protection else []
            worker = Service(chosen, Agents(agent(**(agent_changes or {}))), storage, watches)
            stop = asyncio.Event()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(worker.run(stop))
                await _listening(chosen.port)
                try:
                    yield Rig(worker, simulated, brain, store, escalations, chosen.port, messages, stop)
                finally:
                    stop.set()
            check_sent_events(simulated, refusals=refusals)
        storage.close()

    return make


def worker_settings(table: str, queue: str, model_url: str, **changes: Any) -> WorkerSettings:
    return WorkerSettings.model_validate(
        {
            "table_name": table,
            "escalation_queue_url": queue,
            "openai_base_url": model_url,
            "openai_api_key": "sk-test",
            "twilio_auth_token": AUTH_TOKEN,
            "stream_url": "wss://worker.example/media-stream",
            "signing_key": SIGNING_KEY,
            "port": free_port(),
            "drain_s": 0,
            "max_lag_ms": 60_000,  # other load on this machine must not make the worker refuse calls
            "session_pool_size": 0,
            "agents_dir": Path("nowhere"),
            **changes,
        }
    )


async def until(done: Callable[[], bool]) -> None:
    """Polls until `done`."""
    async with asyncio.timeout(20):
        while not done():
            await asyncio.sleep(0.01)


def check_sent_events(model: SimulatedModel, *, refusals: bool) -> None:
    """Checks that every event the worker sent fits the official SDK, and that the model refused none."""
    for session in model.sessions:
        for event in session.received:
            _client_events.validate_python(event.event, strict=True)
    if not refusals:
        assert not [refusal.error for refusal in model.refusals]


async def _listening(port: int) -> None:
    async with asyncio.timeout(10):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.01)
            else:
                writer.close()
                return
