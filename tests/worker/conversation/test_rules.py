"""The rules of a conversation, under any order of events from the phone, the model, tools and timers.

The machine below simulates the model's server, Twilio's queue and the tools. It does only what the real ones can do,
but in any order that Hypothesis finds; after every step it checks the call's effects.
"""

import json
from dataclasses import replace
from typing import Any

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import initialize, precondition, rule

from shared.escalations.record import Status
from tests.worker.conversation.watched import WatchedCall
from tests.worker.dialogue import MU_LAW
from worker.conversation.effects import (
    EscalationNotSeen,
    EscalationNotSent,
    EscalationSeen,
    EscalationSent,
    ModelLost,
    SendToModel,
    SessionReady,
    Timer,
    ToolFinished,
)
from worker.engines.realtime import events
from worker.engines.realtime.session import session_update
from worker.twilio.media_stream import Mark, MarkBody

_CHOICES = ("auto", "none", "required", "required_once", "opening_hours")
# These may end the call, so they fire only after some steps.
_SESSION = {Timer.RECONNECT, Timer.SESSION}
_LATE = {Timer.SILENCE, Timer.WARNING, Timer.TIME_LIMIT, Timer.FAREWELL, Timer.RESPONSE}
_EARLY = 15
_GIVES_UP = {Timer.FAREWELL, Timer.RESPONSE}
_TOOLS = ("opening_hours", "book_room", "nonsense", "escalate_to_human", "escalate_to_human", "escalation_status")
_SEEN = (
    EscalationSeen("", Status.ALERTED),
    EscalationSeen("", Status.ACCEPTED, "Maria"),
    *[EscalationSeen("", Status.ACCEPTED, "Maria", ready=True)] * 2,
    EscalationSeen("", Status.ACCEPTED, "Ben", ready=True),
    EscalationSeen("", Status.ACCEPTED, "Ben", ready=True, calling_back=True),
    EscalationSeen("", Status.CALLBACK),
    EscalationSeen("", Status.RESOLVED, "Maria"),
)
_ERRORS = ("response_cancel_not_active", "item_not_found", "server_error", "rate_limit_exceeded", "unheard_of")


class CallRules(WatchedCall):
    """One call; the rules are numbered as in docs/design.md."""

    @initialize(
        choice=st.sampled_from(_CHOICES), interruptible=st.booleans(), limit=st.integers(1, 3), waiting=st.booleans()
    )
    def start(self, choice: str, interruptible: bool, limit: int, waiting: bool) -> None:
        self.start_call(choice, interruptible=interruptible, limit=limit)
        self.request_is_accepted()
        if waiting:
            self._ask_for_a_person()

    def _ask_for_a_person(self) -> None:
        self.model_calls_a_tool("escalate_to_human", twice=False)
        self.escalation_is_stored_or_not(stored=True)
        self._end("completed")
        self.request_is_accepted()
        self._end("completed")

    # The model's server

    @precondition(lambda self: self.running() and self.pending and self.active is None)
    @rule()
    def request_is_accepted(self) -> None:
        request = self.pending.popleft()
        self._begin(request)

    @precondition(lambda self: self.running() and self.pending and self.active is not None)
    @rule(named=st.booleans())
    def request_is_refused(self, named: bool) -> None:
        request = self.pending.popleft()
        event_id = request["event_id"] if named else None
        self.given_up = True  # after a few of these in a row
        self._check(self.dialogue.fails("conversation_already_has_active_response", event_id), after_error=True)

    @precondition(lambda self: self.running() and self.turn_waits and self.active is None and not self.speaking)
    @rule()
    def server_answers_by_itself(self) -> None:
        self._begin(None)

    def _begin(self, request: dict[str, Any] | None) -> None:
        self.turn_waits = False
        self._acknowledge_outputs()
        self.saying = (request or {}).get("response", {}).get("instructions", "")
        self.active, self.active_spoke, self.active_calls = self._id("r"), False, []
        effects = self.dialogue.created(self.active, answers=request)
        if any(isinstance(e, SendToModel) and e.event["type"] == "response.cancel" for e in effects):
            self.muted.add(self.active)
        self._check(effects)

    @precondition(lambda self: self.running() and self.unacknowledged)
    @rule()
    def outputs_are_added(self) -> None:
        self._acknowledge_outputs()

    def _acknowledge_outputs(self) -> None:
        while self.unacknowledged:
            self._check(self.dialogue.output_added(self.unacknowledged.popleft()))

    @precondition(lambda self: self.running() and self.active is not None)
    @rule(ms=st.sampled_from([20, 200, 1000, 4000]), new_item=st.booleans())
    def model_speaks(self, ms: int, new_item: bool) -> None:
        if new_item or self.item_response.get(self.item) != self.active:
            self.item = self._id("item")
            self.item_response[self.item] = str(self.active)
        self.active_spoke = self.active_spoke or self.active not in self.muted
        self.generated[self.item] = self.generated.get(self.item, 0) + ms
        self._check(self.dialogue.says(str(self.active), self.item, ms, "word "))

    @precondition(lambda self: self.running() and self.pending and self.active is None and not self.speaking)
    @rule(ms=st.sampled_from([200, 1000]))
    def requested_response_is_said_without_interruption(self, ms: int) -> None:
        self.request_is_accepted()
        self.model_speaks(ms, new_item=True)
        self._end("completed")
        if self.running():
            self.time_passes(3 * ms, delayed=0)

    @precondition(lambda self: self.running() and self.active is not None)
    @rule(name=st.sampled_from(_TOOLS), twice=st.booleans())
    def model_calls_a_tool(self, name: str, twice: bool) -> None:
        call_id = self._id("call")
        self.calls[call_id] = []
        self.active_calls.append(call_id)
        for _ in range(1 + twice):
            arguments = json.dumps({"reason": "a person", "summary": call_id})
            self._check(self.dialogue.calls(str(self.active), call_id, name, arguments))

    @precondition(lambda self: self.running() and self.active is not None)
    @rule(status=st.sampled_from(["completed", "completed", "completed", "incomplete", "failed"]), twice=st.booleans())
    def response_ends(self, status: str, twice: bool) -> None:
        self._end(status if self.steps > _EARLY else "completed", twice=twice)

    def _end(self, status: str, *, twice: bool = False) -> None:
        response_id, self.active = str(self.active), None
        useless = status == "failed" or (status == "incomplete" and not self.active_spoke and not self.active_calls)
        self.given_up = useless
        waits = self.known and f"{self.known.person} is joining now" in self.saying and self._somebody_waits()
        self.joins_said = self.joins_said or bool(waits and not useless and response_id not in self.muted)
        self.silent = 0 if self.active_spoke else self.silent + 1
        code = "server_error" if status == "failed" else None
        for _ in range(1 + twice):
            self._check(self.dialogue.done(response_id, status, code))

    @precondition(lambda self: self.present() and self.steps > _EARLY)
    @rule(code=st.sampled_from(_ERRORS), about_us=st.booleans())
    def error(self, code: str, about_us: bool) -> None:
        request = self.pending.popleft() if about_us and self.pending and self.active is None else None
        self.given_up = True
        self._check(self.dialogue.fails(code, request["event_id"] if request else None), after_error=True)
        if not request and code in ("server_error", "rate_limit_exceeded"):
            self.pending.clear()  # the call takes such an error as the answer to its request

    # The model's session

    @precondition(lambda self: self.present() and self.steps > _EARLY)
    @rule()
    def session_is_lost(self) -> None:
        """Discards the state of the lost session; the phone plays on."""
        self.connected = self.speaking = self.turn_waits = False
        self.given_up = True
        self.active, self.active_spoke = None, False
        self.pending.clear()
        self.unacknowledged.clear()
        self.generated.clear()
        self._check(self.dialogue.feed(ModelLost("model_closed: 1001")))
        assert not self.pending, "rule 1: requested a response without a session"

    @precondition(lambda self: self.running() and Timer.RECONNECT in self.dialogue.running)
    @rule()
    def socket_is_opened_again(self) -> None:
        self._check(self.dialogue.fire(Timer.RECONNECT))

    @precondition(lambda self: self.running() and self.connecting)
    @rule(pooled=st.booleans())
    def session_is_back(self, pooled: bool) -> None:
        self.connected, self.connecting = True, False
        self.sessions += 1
        if pooled:
            self._check(self.dialogue.feed(SessionReady(MU_LAW, session_update(self.dialogue.agent, "auto"))))
        if not self.dialogue.call._session.ready:
            self._check(self.dialogue.feed(events.SessionCreated(events.NewSession())))
            self._check(self.dialogue.feed(events.SessionUpdated(MU_LAW)))

    # The caller

    @precondition(lambda self: self.present() and not self.speaking)
    @rule()
    def caller_speaks(self) -> None:
        self.speaking, self.turn_waits = True, False
        if self.interruptible and self.active is not None:
            self.muted.add(self.active)
        self._check(self.dialogue.caller_speaks(self._id("user")))

    @precondition(lambda self: self.running() and self.speaking and self.active in self.muted)
    @rule()
    def interrupted_response_ends(self) -> None:
        self._end("cancelled")

    @precondition(lambda self: self.running() and self.speaking and not (self.interruptible and self.active))
    @rule()
    def caller_stops(self) -> None:
        self.speaking, self.turn_waits = False, self.interruptible
        self._check(self.dialogue.feed(events.SpeechStopped()))
        self._check(self.dialogue.feed(events.Committed(self._id("user"))))

    @precondition(lambda self: self.running())
    @rule(key=st.sampled_from("12#"))
    def caller_presses(self, key: str) -> None:
        if self.interruptible and self.active is not None:
            self.muted.add(self.active)
        self._check(self.dialogue.press(key))

    @precondition(lambda self: self.running())
    @rule(ms=st.sampled_from([1, 90, 500, 3000]), delayed=st.sampled_from([0, 0, 0, 1, 3]))
    def time_passes(self, ms: int, delayed: int) -> None:
        self.phone.play(ms)
        self.dialogue.now += ms
        while len(self.phone.echoes) > delayed:
            self._check(self.dialogue.feed(Mark(MarkBody(self.phone.echoes.popleft()))))

    # Tools and timers

    @precondition(lambda self: self.running() and self.tools)
    @rule(twice=st.booleans())
    def tool_finishes(self, twice: bool) -> None:
        call_id = self.tools.pop(0)
        for _ in range(1 + twice):
            self._check(self.dialogue.feed(ToolFinished(call_id, "done")))

    @precondition(lambda self: self.running() and self.escalations)
    @rule(stored=st.booleans())
    def escalation_is_stored_or_not(self, stored: bool) -> None:
        call_id = self.escalations.pop(0)
        if stored:
            self.stored.add(call_id)
        self._check(self.dialogue.feed(EscalationSent(call_id) if stored else EscalationNotSent(call_id)))

    @precondition(lambda self: self.running() and Timer.ESCALATION_CHECK in self.dialogue.running)
    @rule()
    def escalation_is_checked(self) -> None:
        self._fire(Timer.ESCALATION_CHECK)

    @precondition(lambda self: self.running() and self.checks)
    @rule(seen=st.sampled_from(_SEEN))
    def escalation_is_seen(self, seen: EscalationSeen) -> None:
        before, self.known = self.known, replace(seen, escalation_id=self.checks.pop())
        if not self._somebody_waits() or before is None or before.person != seen.person:
            self.joins_said = False
        self._check(self.dialogue.feed(self.known))

    @precondition(lambda self: self.running() and self.checks)
    @rule()
    def escalation_is_not_seen(self) -> None:
        self._check(self.dialogue.feed(EscalationNotSeen(self.checks.pop())))

    def _timers(self) -> list[Timer]:
        late = self.steps > 2 * _EARLY and not self.pending
        timers = (t for t in self.dialogue.running if t not in _SESSION and (late or t not in _LATE))
        return sorted(timers, key=lambda timer: timer.value)

    @precondition(lambda self: self.running() and self._timers())
    @rule(data=st.data())
    def timer_fires(self, data: st.DataObject) -> None:
        timer = data.draw(st.sampled_from(self._timers()))
        if timer is Timer.VAD_RESPONSE:
            self.turn_waits = False
        self._fire(timer)

    def _fire(self, timer: Timer) -> None:
        elapsed = self.dialogue.running[timer] - self.dialogue.now
        self.phone.play(max(0.0, elapsed))
        self.given_up = timer in _GIVES_UP
        self._check(self.dialogue.fire(timer))

    @precondition(lambda self: hasattr(self, "dialogue") and not self.running())
    @rule()
    def nothing_after_the_end(self) -> None:
        """Events after the end of the call have no effect."""
        assert not self.dialogue.hears()
        assert not self.dialogue.caller_turn()
        assert not self.dialogue.created("late")


TestCallRules = CallRules.TestCase
TestCallRules.settings = settings(max_examples=400, stateful_step_count=60)
