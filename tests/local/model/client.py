"""A plain websockets client of the simulated model, independent of the worker."""

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from local.audio.speech import silence, tone
from local.model import SimulatedModel

Event = dict[str, Any]

KEY = {"Authorization": "Bearer sk-test"}
MU_LAW = {"input": {"format": {"type": "audio/pcmu"}}, "output": {"format": {"type": "audio/pcmu"}}}
HOURS = {
    "type": "function",
    "name": "opening_hours",
    "description": "When we are open",
    "parameters": {"type": "object", "properties": {"day": {"enum": ["mon", "tue"]}}, "required": ["day"]},
}
SPEECH = silence(400) + tone(600, 300) + silence(700)


class Client:
    """Sends and receives events; `events` are all received, in order."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.events: list[Event] = []

    async def send(self, name: str, **fields: Any) -> None:
        await self.socket.send(json.dumps({"type": name, **fields}))

    async def receive(self) -> Event:
        event: Event = json.loads(await self.socket.recv())
        self.events.append(event)
        return event

    async def until(self, name: str) -> Event:
        """Reads up to the next event of a type, and returns it."""
        while (event := await self.receive())["type"] != name:
            pass
        return event

    async def ask(self, name: str, **fields: Any) -> Event:
        """Sends an event that will be refused, and returns the error."""
        await self.send(name, **fields)
        error: Event = (await self.until("error"))["error"]
        return error

    async def configure(self, **session: Any) -> Event:
        """Updates the session and returns it; mu-law both ways unless `audio` is given."""
        await self.send("session.update", session={"type": "realtime", "audio": MU_LAW} | session)
        updated: Event = (await self.until("session.updated"))["session"]
        return updated

    async def respond(self, **response: Any) -> Event:
        """Requests a response, and returns it when it is done."""
        await self.send("response.create", **({"response": response} if response else {}))
        done: Event = (await self.until("response.done"))["response"]
        return done

    async def speak(self, audio: bytes = SPEECH) -> None:
        """Appends mu-law, frame by frame, all at once."""
        for start in range(0, len(audio), 160):
            frame = base64.b64encode(audio[start : start + 160]).decode()
            await self.send("input_audio_buffer.append", audio=frame)

    def of_type(self, name: str) -> list[Event]:
        return [event for event in self.events if event["type"] == name]

    @property
    def types(self) -> list[str]:
        return [event["type"] for event in self.events]

    def audio(self) -> bytes:
        """All received audio, decoded from base64."""
        return b"".join(base64.b64decode(event["delta"]) for event in self.of_type("response.output_audio.delta"))


def socket_url(model: SimulatedModel, name: str = "gpt-realtime-2.1") -> str:
    return f"{model.url.replace('http', 'ws', 1)}/realtime?model={name}"


@asynccontextmanager
async def connected(model: SimulatedModel, name: str = "gpt-realtime-2.1") -> AsyncIterator[Client]:
    """A client after `session.created`, without a configuration."""
    async with connect(socket_url(model, name), additional_headers=KEY, proxy=None, max_size=None) as socket:
        client = Client(socket)
        await client.until("session.created")
        yield client


@asynccontextmanager
async def talking(model: SimulatedModel, **session: Any) -> AsyncIterator[Client]:
    """A client with mu-law both ways and these further settings."""
    async with connected(model) as client:
        await client.configure(**session)
        yield client
