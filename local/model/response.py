"""One response of the model, from `response.created` to `response.done`: streams what the brain planned, faster than
real time, until it is complete, cut short or stopped."""

import asyncio
import json
import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from local.audio.speech import tone
from local.model.brain import Brain, CallTool, Hold, Output, Say, Turn, obey
from local.model.conversation import BYTES_PER_MS, Conversation, Item
from local.model.faults import (
    CloseSocket,
    CutShort,
    FailResponse,
    Faults,
    NeverFinish,
)
from local.model.ids import new_id
from local.model.output_items import OutputItem
from local.model.triggers import Over, ResponseFault, Triggers
from local.model.usage import NO_USAGE, response_usage
from local.model.wire import Wire

ARGUMENT_LETTERS = 12  # in one delta of a function call's arguments
RATE_LIMITS = [
    {"name": "requests", "limit": 20000, "remaining": 19999, "reset_seconds": 0.003},
    {"name": "tokens", "limit": 10000000, "remaining": 9995000, "reset_seconds": 0.03},
]
T = TypeVar("T")


@dataclass
class Stage:
    """What the responses of one session share."""

    wire: Wire
    conversation: Conversation
    brain: Brain
    faults: Faults
    speak: Callable[[str], Awaitable[bytes]]
    pace: float  # how many times faster than real time audio is streamed
    delta_ms: int  # audio in one delta
    spoken: bool = False  # audio was produced in this session
    seen: set[str] = field(default_factory=set)  # ids of the items that a response has already had as input


class Response:
    """A response in progress. `settings` are the session's, overridden by the request's."""

    def __init__(self, stage: Stage, settings: dict[str, Any]) -> None:
        self.id = new_id("resp")
        self.finished = asyncio.Event()
        self.over = False  # set just before `response.done`: another response may begin
        self.audio_ms = 0
        self._stage = stage
        self._settings = settings
        self._outputs: list[OutputItem] = []
        self._stopped = asyncio.Event()
        self._stop_reason = ""
        self._triggers = Triggers(stage.faults, settings["max_output_tokens"])
        self._context: Sequence[Item] = ()

    def stop(self, reason: str) -> None:
        """Ends the response as `cancelled` after the current event; `reason` is turn_detected or client_cancelled."""
        self._stop_reason = self._stop_reason or reason
        self._stopped.set()

    async def run(self, listen: Callable[[], Awaitable[Turn]]) -> None:
        """Streams the response after `begin`; `listen` returns the turn once the caller's words are recognised."""
        try:
            await self._done(await self._outcome(listen))
        finally:
            self.finished.set()

    async def begin(self) -> None:
        """Announces the response."""
        await self._stage.wire.send("response.created", response=self._object("in_progress", None, None))
        await self._stage.wire.send("rate_limits.updated", rate_limits=RATE_LIMITS)

    async def _outcome(self, listen: Callable[[], Awaitable[Turn]]) -> Over:
        try:
            await self._inject_due(0)
            turn = await self._unless_stopped(listen())
            self._context = turn.items
            for output in obey(await self._unless_stopped(self._stage.brain.plan(turn)), turn):
                await self._perform(output)
            await self._inject_due(math.inf)
        except Over as over:
            await self._end_items("incomplete")
            return over
        await self._end_items("completed")
        return Over("completed")

    async def _inject_due(self, audio_ms: float) -> None:
        """Injects the faults that are due after `audio_ms` of audio."""
        for fault in self._triggers.due(audio_ms):
            await self._inject(fault)

    async def _inject(self, fault: ResponseFault) -> None:
        wire = self._stage.wire
        match fault:
            case FailResponse():
                raise Over("failed", error={"type": fault.kind, "code": fault.code, "message": fault.message})
            case CutShort():
                raise Over("incomplete", reason=fault.reason)
            case NeverFinish():
                await self._unless_stopped(self._stopped.wait())
            case CloseSocket():
                await (wire.reset() if fault.reset else wire.close(fault.code, fault.reason))

    async def _perform(self, output: Output) -> None:
        match output:
            case Say():
                await self._say(output)
            case CallTool():
                await self._call(output)
            case Hold():
                await self._unless_stopped(output.wait())

    async def _say(self, planned: Say) -> None:
        content = "output_audio" if self._settings["output_modalities"] == ["audio"] else "output_text"
        shown = await self._begin(Item("message", role="assistant", content=content))
        if content == "output_text":
            for word in planned.text.split(" "):
                await shown.words(f"{word} ")
                await self._sleep(0)
        else:
            await self._speak(shown, planned)
        await shown.end("completed")

    async def _speak(self, shown: OutputItem, planned: Say) -> None:
        audio = await self._sound(planned)
        hold_at = planned.hold_at_ms * BYTES_PER_MS if planned.hold else None
        words, position = planned.text.split(" "), 0
        while True:
            if planned.hold and position == hold_at:
                await self._unless_stopped(planned.hold.wait())
            await self._inject_due(self.audio_ms)
            if position >= len(audio):
                break
            end = self._end_of_delta(position, len(audio), hold_at)
            spoken = " ".join(words[: math.ceil(len(words) * end / len(audio))])
            if more := spoken[len(shown.said) :]:
                await shown.words(more)
            await shown.audio(audio[position:end], self._format)
            self._stage.spoken = True
            self.audio_ms += (end - position) // BYTES_PER_MS
            await self._sleep((end - position) / BYTES_PER_MS / 1000 / self._stage.pace)
            position = end

    async def _sound(self, planned: Say) -> bytes:
        if planned.ms is not None:
            return tone(planned.ms, planned.hz)
        return await self._unless_stopped(self._stage.speak(planned.text))

    def _end_of_delta(self, position: int, length: int, hold_at: int | None) -> int:
        """Where the next delta ends: at the latest at a hold or at the next fault."""
        ends = [length, position + self._stage.delta_ms * BYTES_PER_MS]
        if hold_at is not None and hold_at > position:
            ends.append(hold_at)
        if (ms := self._triggers.ms_to_next(self.audio_ms)) is not None:
            ends.append(position + ms * BYTES_PER_MS)
        return min(ends)

    @property
    def _format(self) -> str:
        return str(self._settings["audio"]["output"]["format"]["type"])

    async def _call(self, planned: CallTool) -> None:
        arguments = planned.arguments if isinstance(planned.arguments, str) else json.dumps(planned.arguments)
        item = Item("function_call", name=planned.name, call_id=planned.call_id or new_id("call"))
        shown = await self._begin(item)
        for start in range(0, len(arguments), ARGUMENT_LETTERS):
            await shown.arguments(arguments[start : start + ARGUMENT_LETTERS])
            await self._sleep(0)
            await self._inject_due(math.inf)
        await shown.end("completed")

    async def _begin(self, item: Item) -> OutputItem:
        shown = OutputItem(self._stage.wire, self._stage.conversation, item, self.id, len(self._outputs))
        self._outputs.append(shown)
        await shown.begin()
        return shown

    async def _end_items(self, status: str) -> None:
        if self._outputs and self._outputs[-1].item.status == "in_progress":
            await self._outputs[-1].end(status)

    async def _done(self, over: Over) -> None:
        usage = NO_USAGE if over.status == "failed" else self._usage()
        self.over = True
        self._stage.seen |= {item.id for item in self._context}
        response = self._object(over.status, over.details(), usage)
        await self._stage.wire.send("response.done", response=response)

    def _usage(self) -> dict[str, Any]:
        new = sum(item.id not in self._stage.seen for item in self._context)
        tools = json.dumps(self._settings["tools"])
        outputs = [shown.item for shown in self._outputs]
        return response_usage(self._settings["instructions"], tools, self._context, new, outputs)

    def _object(self, status: str, details: dict[str, Any] | None, usage: dict[str, Any] | None) -> dict[str, Any]:
        output = self._settings["audio"]["output"]
        return {
            "object": "realtime.response",
            "id": self.id,
            "status": status,
            "status_details": details,
            "output": [shown.item.wire() for shown in self._outputs],
            "conversation_id": self._stage.conversation.id,
            "output_modalities": self._settings["output_modalities"],
            "max_output_tokens": self._settings["max_output_tokens"],
            "audio": {"output": {"format": output["format"], "voice": output["voice"]}},
            "usage": usage,
            "metadata": self._settings["metadata"],
        }

    async def _sleep(self, seconds: float) -> None:
        await self._unless_stopped(asyncio.sleep(seconds))

    async def _unless_stopped(self, work: Awaitable[T]) -> T:
        """Awaits something that `stop` may interrupt; sending an event is never interrupted."""
        doing, stopping = asyncio.ensure_future(work), asyncio.ensure_future(self._stopped.wait())
        try:
            await asyncio.wait({doing, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if self._stopped.is_set():
                raise Over("cancelled", reason=self._stop_reason)
            return doing.result()
        finally:
            doing.cancel()
            stopping.cancel()
