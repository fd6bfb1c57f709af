"""The rules of a conversation, under any order of events from the phone, the model, tools and timers.

The machine below plays the model's server, Twilio's queue and the tools. It does nothing that the real ones would not,
but in any order and as unluckily as Hypothesis can think of; after every step it looks at what the call did.
"""

import json
from collections import deque
from dataclasses import dataclass, field, replace
from typing import Any

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from shared.call_store import CallEnd
from shared.escalation_life import Status
from tests.worker.dialogue import MU_LAW, Dialogue
from worker.effects import (
    ClearPlayback,
    Connect,
    Effect,
    EscalationNotSeen,
    EscalationNotSent,
    EscalationSeen,
    EscalationSent,
    HangUp,
    LookAtEscalation,
    ModelLost,
    PlayAudio,
    RunTool,
    SendEscalation,
    SendMark,
    SendToModel,
    Timer,
    ToolFinished,
)
from worker.hold_tone import HOLD_TONE
from worker.media_stream import Mark, MarkBody, payload_bytes
from worker.realtime import events

_CHOICES = ("auto", "none", "required", "required_once", "opening_hours")
# These may end the call; they come late, so that there is a call to be ended.
_LINK = {Timer.RECONNECT, Timer.SESSION}
_PATIENT = {Timer.SILENCE, Timer.WARNING, Timer.TIME_LIMIT, Timer.FAREWELL, Timer.RESPONSE}
_EARLY = 15
_GIVES_UP = {Timer.FAREWELL, Timer.RESPONSE}
_TOOLS = ("opening_hours", "book_room", "nonsense", "escalate_to_human", "escalate_to_human", "escalation_status")
_COMES = EscalationSeen("", Status.ACCEPTED, "Maria")
_WAITS = EscalationSeen("", Status.ACCEPTED, "Maria", ready=True)
_SEEN = (
    EscalationSeen("", Status.ALERTED),
    _COMES,
    _WAITS,
    _WAITS,
    EscalationSeen("", Status.ACCEPTED, "Ben", ready=True),
    EscalationSeen("", Status.ACCEPTED, "Ben", ready=True, calling_back=True),
    EscalationSeen("", Status.CALLBACK),
    EscalationSeen("", Status.RESOLVED, "Maria"),
)
_ERRORS = ("response_cancel_not_active", "item_not_found", "server_error", "rate_limit_exceeded", "unheard_of")


@dataclass
class _Phone:
    """Twilio's queue: plays in real time, echoes marks when they are reached and when they are cleared."""

    queue: deque[tuple[str, Any]] = field(default_factory=deque)  # ("audio", [item, ms left]) or ("mark", name)
    echoes: deque[str] = field(default_factory=deque)
    played: dict[str, float] = field(default_factory=dict)

    def play(self, ms: float) -> None:
        while self.queue:
            kind, what = self.queue[0]
            if kind == "mark":
                self.echoes.append(what)
            elif what[1] > ms:
                what[1] -= ms
                self.played[what[0]] += ms
                return
            else:
                ms -= what[1]
                self.played[what[0]] += what[1]
            self.queue.popleft()

    def clear(self) -> None:
        self.echoes.extend(what for kind, what in self.queue if kind == "mark")
        self.queue.clear()


class CallRules(RuleBasedStateMachine):
    """One call; the rules are numbered as in docs/design.md."""

    @initialize(
        choice=st.sampled_from(_CHOICES), interruptible=st.booleans(), limit=st.integers(1, 3), waiting=st.booleans()
    )
    def start(self, choice: str, interruptible: bool, limit: int, waiting: bool) -> None:
        self.limit = limit
        detection = {"type": "server_vad", "interrupt_response": interruptible}
        self.dialogue = Dialogue(tool_choice=choice, turn_detection=detection, limits={"max_silent_responses": limit})
        self.choice = choice
        self.interruptible = interruptible
        self.phone = _Phone()
        self.pending: deque[dict[str, Any]] = deque()  # response.create on its way to the server
        self.active: str | None = None
        self.active_spoke = False
        self.active_calls: list[str] = []
        self.muted: set[str] = set()
        self.speaking = False
        self.turn_waits = False  # a committed turn that the server will answer by itself
        self.silent = 0
        self.calls: dict[str, list[str]] = {}  # outputs by call_id
        self.tools: list[str] = []
        self.escalations: list[str] = []
        self.stored: set[str] = set()
        self.ran: set[str] = set()
        self.unacknowledged: deque[str] = deque()
        self.truncated: dict[str, int] = {}
        self.item_response: dict[str, str] = {}
        self.generated: dict[str, float] = {}
        self.looks: list[str] = []
        self.known: EscalationSeen | None = None  # what a look has brought last
        self.saying = ""  # what the active response was asked to say
        self.joins_said = False  # the agent has said who takes over
        self.given_up = False  # a limit or a failure of the model may end the wait for that
        self.connected = True
        self.connecting = False
        self.told: dict[str, int] = {}  # how often a session was told in words what came of a call
        self.count = self.steps = self.sessions = 0
        self._look(self.dialogue.ready())
        self.request_is_accepted()
        if waiting:
            self._ask_for_a_person()

    def _ask_for_a_person(self) -> None:
        self.model_calls_a_tool("escalate_to_human", twice=False)
        self.escalation_is_stored_or_not(stored=True)
        self._end("completed")
        self.request_is_accepted()
        self._end("completed")

    # What the call did, against the rules

    def _look(self, effects: list[Effect], *, after_error: bool = False) -> None:
        self.steps += 1
        unheard = any(kind == "audio" for kind, _ in self.phone.queue)
        for effect in effects:
            match effect:
                case HangUp(CallEnd.TRANSFERRED):
                    self._look_at_transfer(effect, unheard=unheard)
                case LookAtEscalation(escalation_id):
                    assert not self.looks, "two looks at once"
                    assert self.stored, "looked at what nobody has"
                    self.looks.append(escalation_id)
                case SendToModel(event):
                    self._look_at_event(event, after_error=after_error)
                case PlayAudio(payload):
                    item = "hold tone" if payload == HOLD_TONE else self.item
                    self.phone.queue.append(("audio", [item, payload_bytes(payload) / 8]))
                    self.phone.played.setdefault(item, 0)
                    muted = self.active in self.muted and item != "hold tone"
                    assert not muted, "rule 4: audio of an interrupted response was played"
                    assert not (self.speaking and self.interruptible), "rule 1: the agent talks into the caller's turn"
                case SendMark(name):
                    self.phone.queue.append(("mark", name))
                    if len(self.phone.queue) == 1:
                        self.phone.play(0)
                case ClearPlayback():
                    self.phone.clear()
                case RunTool(call_id):
                    assert call_id not in self.ran, "rule 3: a tool ran twice"
                    self.ran.add(call_id)
                    self.tools.append(call_id)
                case SendEscalation(call_id):
                    self.stored.discard(call_id)
                    self.escalations.append(call_id)
                case Connect():
                    self._another_session()
                case _:
                    pass
        self.given_up = False

    def _look_at_transfer(self, end: HangUp, *, unheard: bool) -> None:
        assert self.known, "handed over to nobody"
        assert self._somebody_waits(), "handed over to nobody who waits"
        assert end.escalation_id == self.known.escalation_id, "handed over for another escalation"
        assert self.given_up or (self.joins_said and not unheard), "handed over before the caller knew"

    def _somebody_waits(self) -> bool:
        known = self.known
        return bool(known and known.status is Status.ACCEPTED and known.ready and not known.calling_back)

    def _look_at_event(self, event: dict[str, Any], *, after_error: bool) -> None:
        if event["type"] == "response.create":
            assert self.active is None, "rule 1: asked while a response is active"
            assert not self.pending, "rule 1: asked while another request is out"
            assert not after_error, "rule 2: an error caused a response"
            assert not self.joins_said, "the agent goes on after it has said who takes over"
            choice = event["response"]["tool_choice"]
            assert self.silent < self.limit or choice == "none", "rule 2: the loop guard does not hold"
            self.pending.append(event)
        elif event["type"] == "conversation.item.create" and event["item"]["type"] == "function_call_output":
            call_id, output = event["item"]["call_id"], event["item"]["output"]
            self.calls[call_id].append(output)
            assert len(self.calls[call_id]) == 1, "rule 3: a second output"
            if '"sent"' in output or '"updated"' in output:
                assert call_id in self.stored, "rule 5: said before it was stored"
            if "earlier request" in output:
                assert self.stored, "rule 5: spoke of an earlier request that nobody has"
            if "person_coming" in output or "person_joining" in output:
                assert self.known, "spoke of a person whom nobody has seen"
                assert self.known.status is Status.ACCEPTED, "spoke of a person who does not come"
            self.unacknowledged.append(call_id)
        elif event["type"] == "conversation.item.create" and event["item"]["role"] == "system":
            self._look_at_note(event["item"]["content"][0]["text"])
        elif event["type"] == "conversation.item.truncate":
            item, ms = event["item_id"], event["audio_end_ms"]
            assert item not in self.truncated, "rule 4: cut twice"
            assert ms <= self.phone.played.get(item, 0), "rule 4: the model believes it said what nobody heard"
            self.truncated[item] = ms

    def _look_at_note(self, text: str) -> None:
        if not text.startswith("You called"):  # of the escalation
            assert self.stored, "rule 5: said before it was stored"
            return
        call_id = json.loads(text[text.index("(") + 1 : text.index(")")])["summary"]
        assert self.told.get(call_id) != self.sessions, "rule 3: told twice what came of a call"
        self.told[call_id] = self.sessions

    def _another_session(self) -> None:
        """What the last one had under way is nobody's matter any more."""
        assert not self.connecting, "rule 7: a second socket while one is being opened"
        self.connecting = True
        self.connected = self.speaking = self.turn_waits = False
        self.active, self.active_spoke = None, False
        self.pending.clear()
        self.unacknowledged.clear()
        self.generated.clear()

    def _id(self, prefix: str) -> str:
        self.count += 1
        return f"{prefix}{self.count}"

    def running(self) -> bool:
        return hasattr(self, "dialogue") and self.dialogue.call.ended is None

    def present(self) -> bool:
        """The call runs and its model is there."""
        return self.running() and self.connected

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
        self._look(self.dialogue.fails("conversation_already_has_active_response", event_id), after_error=True)

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
        self._look(effects)

    @precondition(lambda self: self.running() and self.unacknowledged)
    @rule()
    def outputs_are_taken_in(self) -> None:
        self._acknowledge_outputs()

    def _acknowledge_outputs(self) -> None:
        while self.unacknowledged:
            self._look(self.dialogue.output_added(self.unacknowledged.popleft()))

    @precondition(lambda self: self.running() and self.active is not None)
    @rule(ms=st.sampled_from([20, 200, 1000, 4000]), new_item=st.booleans())
    def model_speaks(self, ms: int, new_item: bool) -> None:
        if new_item or self.item_response.get(getattr(self, "item", "")) != self.active:
            self.item = self._id("item")
            self.item_response[self.item] = str(self.active)
        self.active_spoke = self.active_spoke or self.active not in self.muted
        self.generated[self.item] = self.generated.get(self.item, 0) + ms
        self._look(self.dialogue.says(str(self.active), self.item, ms, "word "))

    @precondition(lambda self: self.running() and self.pending and self.active is None and not self.speaking)
    @rule(ms=st.sampled_from([200, 1000]))
    def what_was_asked_for_is_said_undisturbed(self, ms: int) -> None:
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
            self._look(self.dialogue.calls(str(self.active), call_id, name, arguments))

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
            self._look(self.dialogue.done(response_id, status, code))

    @precondition(lambda self: self.present() and self.steps > _EARLY)
    @rule(code=st.sampled_from(_ERRORS), about_us=st.booleans())
    def error(self, code: str, about_us: bool) -> None:
        request = self.pending.popleft() if about_us and self.pending and self.active is None else None
        self.given_up = True
        self._look(self.dialogue.fails(code, request["event_id"] if request else None), after_error=True)
        if not request and code in ("server_error", "rate_limit_exceeded"):
            self.pending.clear()  # such an error, too, is taken for the answer to what was asked

    # The link to it

    @precondition(lambda self: self.present() and self.steps > _EARLY)
    @rule()
    def session_is_lost(self) -> None:
        """What the lost session had under way is nobody's matter any more; the phone plays on."""
        self.connected = self.speaking = self.turn_waits = False
        self.given_up = True
        self.active, self.active_spoke = None, False
        self.pending.clear()
        self.unacknowledged.clear()
        self.generated.clear()
        self._look(self.dialogue.feed(ModelLost("model_closed: 1001")))
        assert not self.pending, "rule 1: asked for a response without a session"

    @precondition(lambda self: self.running() and Timer.RECONNECT in self.dialogue.running)
    @rule()
    def socket_is_opened_again(self) -> None:
        self._look(self.dialogue.fire(Timer.RECONNECT))

    @precondition(lambda self: self.running() and self.connecting)
    @rule()
    def session_is_back(self) -> None:
        self.connected, self.connecting = True, False
        self.sessions += 1
        self._look(self.dialogue.feed(events.SessionCreated({})))
        self._look(self.dialogue.feed(events.SessionUpdated(MU_LAW)))

    # The caller

    @precondition(lambda self: self.present() and not self.speaking)
    @rule()
    def caller_speaks(self) -> None:
        self.speaking, self.turn_waits = True, False
        if self.interruptible and self.active is not None:
            self.muted.add(self.active)
        self._look(self.dialogue.caller_speaks(self._id("user")))

    @precondition(lambda self: self.running() and self.speaking and self.active in self.muted)
    @rule()
    def interrupted_response_ends(self) -> None:
        self._end("cancelled")

    @precondition(lambda self: self.running() and self.speaking and not (self.interruptible and self.active))
    @rule()
    def caller_stops(self) -> None:
        self.speaking, self.turn_waits = False, self.interruptible
        self._look(self.dialogue.feed(events.SpeechStopped()))
        self._look(self.dialogue.feed(events.Committed(self._id("user"))))

    @precondition(lambda self: self.running())
    @rule(key=st.sampled_from("12#"))
    def caller_presses(self, key: str) -> None:
        if self.interruptible and self.active is not None:
            self.muted.add(self.active)
        self._look(self.dialogue.press(key))

    @precondition(lambda self: self.running())
    @rule(ms=st.sampled_from([1, 90, 500, 3000]), delayed=st.sampled_from([0, 0, 0, 1, 3]))
    def time_passes(self, ms: int, delayed: int) -> None:
        self.phone.play(ms)
        self.dialogue.now += ms
        while len(self.phone.echoes) > delayed:
            self._look(self.dialogue.feed(Mark(MarkBody(self.phone.echoes.popleft()))))

    # Tools and timers

    @precondition(lambda self: self.running() and self.tools)
    @rule(twice=st.booleans())
    def tool_finishes(self, twice: bool) -> None:
        call_id = self.tools.pop(0)
        for _ in range(1 + twice):
            self._look(self.dialogue.feed(ToolFinished(call_id, "done")))

    @precondition(lambda self: self.running() and self.escalations)
    @rule(stored=st.booleans())
    def escalation_is_stored_or_not(self, stored: bool) -> None:
        call_id = self.escalations.pop(0)
        if stored:
            self.stored.add(call_id)
        self._look(self.dialogue.feed(EscalationSent(call_id) if stored else EscalationNotSent(call_id)))

    @precondition(lambda self: self.running() and Timer.ESCALATION_WATCH in self.dialogue.running)
    @rule()
    def escalation_is_looked_at(self) -> None:
        self._fire(Timer.ESCALATION_WATCH)

    @precondition(lambda self: self.running() and self.looks)
    @rule(seen=st.sampled_from(_SEEN))
    def escalation_is_seen(self, seen: EscalationSeen) -> None:
        before, self.known = self.known, replace(seen, escalation_id=self.looks.pop())
        if not self._somebody_waits() or before is None or before.person != seen.person:
            self.joins_said = False
        self._look(self.dialogue.feed(self.known))

    @precondition(lambda self: self.running() and self.looks)
    @rule()
    def escalation_is_not_seen(self) -> None:
        self._look(self.dialogue.feed(EscalationNotSeen(self.looks.pop())))

    def _timers(self) -> list[Timer]:
        late = self.steps > 2 * _EARLY and not self.pending
        timers = (t for t in self.dialogue.running if t not in _LINK and (late or t not in _PATIENT))
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
        self._look(self.dialogue.fire(timer))

    @precondition(lambda self: hasattr(self, "dialogue") and not self.running())
    @rule()
    def nothing_after_the_end(self) -> None:
        """What still arrives once the call has ended changes nothing."""
        assert not self.dialogue.hears()
        assert not self.dialogue.caller_turn()
        assert not self.dialogue.created("late")

    # What holds between events

    @invariant()
    def unheard_items_are_cut(self) -> None:
        """Rule 4: no item of which the phone did not play everything stays whole in the model's memory."""
        if not self.running():
            return
        waiting = {what[0] for kind, what in self.phone.queue if kind == "audio"}
        for item, generated in self.generated.items():
            if self.phone.played.get(item, 0) < generated and item not in waiting:
                assert item in self.truncated, "rule 4: what nobody heard was not taken back"

    def teardown(self) -> None:
        """Rule 3: when the tools have finished, every call has its one output."""
        if not self.running():
            return
        while self.tools:
            self._look(self.dialogue.feed(ToolFinished(self.tools.pop(), "done")))
        while self.escalations:
            self._look(self.dialogue.feed(EscalationNotSent(self.escalations.pop())))
        unanswered = [call for call, outputs in self.calls.items() if not outputs and call not in self.told]
        assert not unanswered or not self.connected, "rule 3: a call without an output"


TestCallRules = CallRules.TestCase
TestCallRules.settings = settings(max_examples=400, stateful_step_count=60, deadline=None)
