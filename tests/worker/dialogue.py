"""Drives a `Call` without sockets: feeds it events of the model, the phone and time, and keeps its effects."""

import base64
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec

from shared.escalations.callback_numbers import NO_LISTS, CallbackRules
from worker.agents import Agent
from worker.conversation.call import Call
from worker.conversation.effects import (
    AppendAudio,
    Effect,
    EffectResult,
    PlayAudio,
    SendMark,
    SendToModel,
    SetTimer,
    Timer,
    TimerFired,
)
from worker.conversation.resumption import ResumedCall
from worker.engines.realtime import events
from worker.engines.realtime.events import Item, ModelEvent, Response
from worker.tools import CallContext, tool
from worker.twilio.media_stream import Dtmf, DtmfBody, Mark, MarkBody, StreamMessage

STARTED_AT = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
PCMU = events.AudioSide(events.AudioFormat("audio/pcmu"))
MU_LAW = events.Session(audio=events.Audio(PCMU, PCMU))


@tool
async def opening_hours(day: str = "today") -> str:
    """When the front desk is open."""
    return f"{day}: always"


@tool
async def book_room(nights: int) -> str:
    """Books a room."""
    return f"booked {nights}"


def agent(**changes: Any) -> Agent:
    """An agent with both built-in tools and two of its own, with `changes`."""
    settings: dict[str, Any] = {
        "name": "test",
        "instructions": "You are the front desk.",
        "greeting": "Hello!",
        "tools": ("escalate_to_human", "end_call", opening_hours, book_room),
    }
    return Agent.model_validate(settings | changes)


def audio(ms: int) -> msgspec.Raw:
    """`ms` of mu-law silence as a JSON string of base64."""
    return msgspec.Raw(msgspec.json.encode(base64.b64encode(b"\xff" * (8 * ms)).decode()))


class Dialogue:
    """A call and its effects so far. Time passes only in `fire`, or when a test sets `now`."""

    def __init__(
        self,
        *,
        past: ResumedCall | None = None,
        caller: str = "+15550000001",
        callbacks: CallbackRules = NO_LISTS,
        **changes: Any,
    ) -> None:
        self.agent = agent(**changes)
        info = CallContext("CA1", caller, "+15550000002", "en")
        self.call = Call(self.agent, info, STARTED_AT, past, callbacks)
        self.now = 0.0
        self.effects: list[Effect] = []
        self.running: dict[Timer, float] = {}
        self._keep(self.call.begin())

    def feed(self, event: StreamMessage | ModelEvent | EffectResult) -> list[Effect]:
        """The call's effects for one event."""
        return self._keep(self.call.handle(event, self.now))

    def _keep(self, effects: Iterable[Effect]) -> list[Effect]:
        given = list(effects)
        self.effects += given
        for effect in given:
            match effect:
                case SetTimer(timer, after_ms):
                    self.running[timer] = self.now + after_ms
                case _ if hasattr(effect, "timer"):
                    self.running.pop(effect.timer, None)
        return given

    def fire(self, timer: Timer) -> list[Effect]:
        """Lets a timer expire."""
        self.now = max(self.now, self.running.pop(timer))
        return self.feed(TimerFired(timer))

    # What the model does

    def ready(self) -> list[Effect]:
        """The session is created and configured for mu-law."""
        self.feed(events.SessionCreated(events.NewSession()))
        return self.feed(events.SessionUpdated(MU_LAW))

    def created(self, response_id: str, *, answers: dict[str, Any] | None = None) -> list[Effect]:
        """A response begins: the one requested by `answers` (a `response.create`), or one that the server started."""
        metadata = answers["response"]["metadata"] if answers else None
        return self.feed(events.ResponseCreated(Response(response_id, metadata=metadata)))

    def says(self, response_id: str, item_id: str, ms: int, text: str = "") -> list[Effect]:
        """A delta of audio, after the delta of its transcript."""
        words = self.feed(events.TranscriptDelta(response_id, item_id, text)) if text else []
        return words + self.feed(events.AudioDelta(response_id, item_id, audio(ms)))

    def calls(self, response_id: str, call_id: str, name: str, arguments: str = "{}") -> list[Effect]:
        """A function call is complete."""
        item = Item(
            f"item_{call_id}", "function_call", status="completed", name=name, call_id=call_id, arguments=arguments
        )
        return self.feed(events.OutputItemDone(response_id, item))

    def done(self, response_id: str, status: str = "completed", code: str | None = None) -> list[Effect]:
        """A response is over."""
        error = events.StatusDetails(error=events.ErrorBody(code=code)) if code else None
        return self.feed(events.ResponseDone(Response(response_id, status, error)))

    def output_added(self, call_id: str) -> list[Effect]:
        """The server has put a function call's output into the conversation."""
        return self.feed(events.ItemAdded(Item(type="function_call_output", call_id=call_id)))

    def fails(self, code: str, event_id: str | None = None) -> list[Effect]:
        """An `error` event."""
        return self.feed(events.Error(events.ErrorBody(code=code, event_id=event_id)))

    def caller_speaks(self, item_id: str = "user") -> list[Effect]:
        """Voice activity begins."""
        return self.feed(events.SpeechStarted(item_id))

    def caller_turn(self, item_id: str = "user") -> list[Effect]:
        """The caller speaks and stops; the server makes an item of it."""
        return [
            *self.caller_speaks(item_id),
            *self.feed(events.SpeechStopped(item_id)),
            *self.feed(events.Committed(item_id)),
        ]

    # What the phone does

    def hears(self, ms: int = 20) -> list[Effect]:
        """A frame of the caller's audio arrives, and goes to the model or not."""
        payload = audio(ms)
        return [AppendAudio(payload)] if self.call.hear(payload) else []

    def echo(self, mark: str) -> list[Effect]:
        return self.feed(Mark(MarkBody(mark)))

    def echo_all(self) -> list[Effect]:
        """The caller has heard everything."""
        marks = [effect.name for effect in self.effects if isinstance(effect, SendMark)]
        return [effect for mark in marks for effect in self.echo(mark)]

    def press(self, key: str) -> list[Effect]:
        return self.feed(Dtmf(DtmfBody(key)))

    # Whole sequences

    def greeted(self) -> None:
        """The greeting is requested, spoken and heard."""
        request = only(requests(self.ready()))
        self.created("greeting", answers=request)
        self.says("greeting", "hello", 500, "Hello!")
        self.done("greeting")
        self.echo_all()


def to_model(effects: Iterable[Effect], type_: str) -> list[dict[str, Any]]:
    """The events of one type among the effects."""
    return [effect.event for effect in effects if isinstance(effect, SendToModel) and effect.event["type"] == type_]


def requests(effects: Iterable[Effect]) -> list[dict[str, Any]]:
    return to_model(effects, "response.create")


def outputs(effects: Iterable[Effect]) -> dict[str, str]:
    """The function call outputs among the effects, by call_id."""
    items = [event["item"] for event in to_model(effects, "conversation.item.create")]
    return {item["call_id"]: item["output"] for item in items if item["type"] == "function_call_output"}


def truncations(effects: Iterable[Effect]) -> dict[str, int]:
    """The milliseconds at which items were truncated, by item."""
    return {event["item_id"]: event["audio_end_ms"] for event in to_model(effects, "conversation.item.truncate")}


def of_type(effects: Iterable[Effect], kind: type) -> list[Any]:
    return [effect for effect in effects if isinstance(effect, kind)]


def only(things: list[Any]) -> Any:
    """The only element; fails if there is not exactly one."""
    assert len(things) == 1, things
    return things[0]


def played_ms(effects: Iterable[Effect]) -> int:
    return sum(
        len(base64.b64decode(msgspec.json.decode(effect.payload))) // 8 for effect in of_type(effects, PlayAudio)
    )
