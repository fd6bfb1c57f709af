"""One session: handles the client's events one by one, or refuses them, and records everything for tests."""

import asyncio
import copy
import json
import time
from dataclasses import dataclass
from typing import Any

from openai.types.realtime import (
    ConversationItemCreateEvent,
    ConversationItemDeleteEvent,
    ConversationItemRetrieveEvent,
    ConversationItemTruncateEvent,
    InputAudioBufferAppendEvent,
    InputAudioBufferClearEvent,
    InputAudioBufferCommitEvent,
    OutputAudioBufferClearEvent,
    RealtimeClientEvent,
    ResponseCancelEvent,
    ResponseCreateEvent,
    SessionUpdateEvent,
)
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from local.audio.recogniser import Recogniser
from local.model.client_events import decode, parse
from local.model.configuration import Configuration
from local.model.conversation import given_item
from local.model.faults import (
    AnonymousError,
    FailSession,
    IgnoreUpdate,
    OddFrame,
    OddSession,
    RejectUpdate,
    WrongFormats,
)
from local.model.hearing import Hearing
from local.model.refusals import Refused, invalid
from local.model.response import Stage
from local.model.responses import Responses
from local.model.wire import Event, Recorded


@dataclass(frozen=True)
class Refusal:
    """A refused client event (None if the model's own response was refused), and the `error` that was sent."""

    event: Event | None
    error: dict[str, Any]


class _ClientGone(Exception):
    """Ends the session's tasks when the client has closed the socket."""


class Session:
    """A connected client. `sent` and `received` are all events in order, `refusals` the refused client events."""

    def __init__(
        self, connection: ServerConnection, configuration: Configuration, stage: Stage, recogniser: Recogniser
    ) -> None:
        self.headers = dict(connection.request.headers.raw_items()) if connection.request else {}
        self.configuration = configuration
        self.conversation = stage.conversation
        self.faults = stage.faults
        self.refusals: list[Refusal] = []
        self._connection = connection
        self._wire = stage.wire
        self._stage = stage
        self._recogniser = recogniser
        self._hearing: Hearing
        self._responses: Responses

    @property
    def id(self) -> str:
        return str(self.configuration.session["id"])

    @property
    def sent(self) -> list[Recorded]:
        """All events that the model has sent."""
        return self._wire.sent

    @property
    def received(self) -> list[Recorded]:
        """All events that the client has sent."""
        return self._wire.received

    @property
    def close_code(self) -> int | None:
        """The socket's close code: None while it is open, 1006 without a close frame."""
        return self._connection.close_code

    async def wait_sent(self, name: str, number: int = 1) -> Event:
        """Waits for the model's `number`th event of this type; raises `SessionEnded` if the session ends before."""
        return await self._wire.wait(self.sent, name, number)

    async def wait_received(self, name: str, number: int = 1) -> Event:
        """Waits for the client's `number`th event of this type; raises `SessionEnded` if the session ends before."""
        return await self._wire.wait(self.received, name, number)

    async def wait_closed(self) -> None:
        """Waits until either side has closed the socket."""
        await self._connection.wait_closed()

    async def close(self, code: int, reason: str = "") -> None:
        """Closes the socket from the model's side."""
        await self._wire.close(code, reason)

    async def reset(self) -> None:
        """Drops the connection with a TCP reset."""
        await self._wire.reset()

    async def expire(self) -> None:
        """Ends the session as at the service's limit of 60 minutes."""
        await self._wire.expire()

    async def run(self) -> None:
        """Serves the client until one side closes the socket."""
        try:
            async with asyncio.TaskGroup() as tasks:
                await self._open(tasks)
                await self._read()
        except* (_ClientGone, ConnectionClosed):
            pass  # both are normal ends of a session
        finally:
            self._wire.note_end()

    async def _read(self) -> None:
        async for message in self._connection:
            await self._receive(message)
        raise _ClientGone

    async def _open(self, tasks: asyncio.TaskGroup) -> None:
        if fault := self.faults.take(FailSession):
            await self._wire.send("error", error=Refused(fault.code, fault.message, kind=fault.kind).error(None))
            await self.close(fault.close_code)
            raise _ClientGone
        parts = (self._wire, self.conversation, self.configuration, self._recogniser, self.faults, tasks)
        self._hearing = Hearing(*parts)
        self._responses = Responses(self._stage, self.configuration, self._hearing, tasks)
        tasks.create_task(self._live(self.configuration.session["expires_at"] - time.time()))
        await self._wire.send("session.created", session=self.configuration.session)

    async def _live(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self.expire()

    async def _receive(self, message: str | bytes) -> None:
        event: Event | None = None
        try:
            event = decode(message)
            self._wire.note_received(event)
            await self._carry_out(parse(event))
        except Refused as refused:
            await self._refuse(event, refused)

    async def _refuse(self, event: Event | None, refused: Refused) -> None:
        anonymous = event is None or self.faults.take(AnonymousError)
        error = refused.error(None if anonymous or event is None else event.get("event_id"))
        self.refusals.append(Refusal(event, error))
        await self._wire.send("error", error=error)

    async def _carry_out(self, event: RealtimeClientEvent) -> None:
        match event:
            case InputAudioBufferAppendEvent():
                await self._hearing.append(event.audio, self._responses.interrupt, self._answer)
            case SessionUpdateEvent():
                await self._update(event.session.to_dict(exclude_unset=True))
            case InputAudioBufferCommitEvent():
                await self._hearing.commit()
            case InputAudioBufferClearEvent():
                await self._hearing.clear()
            case ResponseCreateEvent():
                given = event.response.to_dict(exclude_unset=True) if event.response else {}
                await self._responses.create(given, "client")
            case ResponseCancelEvent():
                await self._responses.cancel(event.response_id)
            case OutputAudioBufferClearEvent():
                raise invalid("type", "output_audio_buffer.clear is for WebRTC and SIP only")
            case _:
                await self._change_conversation(event)

    async def _answer(self) -> None:
        try:
            await self._responses.answer()
        except Refused as refused:
            await self._refuse(None, refused)

    async def _update(self, given: dict[str, Any]) -> None:
        if reject := self.faults.take(RejectUpdate):
            raise Refused(reject.code, reject.message, param=reject.param)
        if self.faults.take(IgnoreUpdate):
            return
        self.configuration.update(given, spoken=self._stage.spoken, speaking=self._responses.speaking)
        if wrong := self.faults.take(WrongFormats):
            self.configuration.audio_input["format"] = {"type": wrong.input}
            self.configuration.audio_output["format"] = {"type": wrong.output}
        if wrong or given.get("audio", {}).get("input", {}).keys() & {"format", "turn_detection"}:
            self._hearing.configure()
        if frame := self.faults.take(OddFrame):
            await self._wire.send_frame(bytes.fromhex(frame.hex), binary=frame.binary)
            return
        await self._wire.send("session.updated", session=self._as_read_back())

    def _as_read_back(self) -> dict[str, Any]:
        odd = self.faults.take(OddSession)
        if odd is None:
            return self.configuration.session
        session = copy.deepcopy(self.configuration.session)
        *way, last = odd.path.split(".")
        part = session
        for key in way:
            part = part[key]
        part[last] = json.loads(odd.value)
        return session

    async def _change_conversation(self, event: RealtimeClientEvent) -> None:
        match event:
            case ConversationItemCreateEvent():
                item = given_item(event.item)
                previous = self.conversation.add(item, event.previous_item_id)
                for name in ("conversation.item.added", "conversation.item.done"):
                    await self._wire.send(name, previous_item_id=previous, item=item.wire())
            case ConversationItemTruncateEvent(item_id=item_id, content_index=index, audio_end_ms=end):
                self.conversation.truncate(item_id, index, end)
                await self._wire.send(
                    "conversation.item.truncated", item_id=item_id, content_index=index, audio_end_ms=end
                )
            case ConversationItemDeleteEvent(item_id=item_id):
                self.conversation.delete(item_id)
                await self._wire.send("conversation.item.deleted", item_id=item_id)
            case ConversationItemRetrieveEvent(item_id=item_id):
                item = self.conversation.retrieve(item_id)
                side = self.configuration.audio_input if item.role == "user" else self.configuration.audio_output
                await self._wire.send("conversation.item.retrieved", item=item.wire(side["format"]["type"]))
