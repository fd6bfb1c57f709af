"""A call under test with a simulated phone; the rules for its effects are checked after every step.

The rules are numbered as in docs/design.md.
"""

import json
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from hypothesis.stateful import RuleBasedStateMachine, invariant

from shared.calls.ending import CallEnd
from shared.escalations.record import Status
from tests.worker.dialogue import Dialogue
from worker.audio import BYTES_PER_MS, payload_bytes
from worker.conversation.effects import (
    CheckEscalation,
    ClearPlayback,
    Connect,
    Effect,
    EscalationNotSent,
    EscalationSeen,
    HangUp,
    PlayAudio,
    RunTool,
    SendEscalation,
    SendMark,
    SendToModel,
    ToolFinished,
)
from worker.conversation.hold_tone import HOLD_TONE


@dataclass
class Phone:
    """Twilio's queue: plays in real time, and echoes marks when they are reached or cleared."""

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


class WatchedCall(RuleBasedStateMachine):
    """The state of the call and of everything around it: phone, model, tools, table."""

    def start_call(self, choice: str, *, interruptible: bool, limit: int) -> None:
        """Starts a call and makes its model's session ready."""
        self.limit = limit
        detection = {"type": "server_vad", "interrupt_response": interruptible}
        self.dialogue = Dialogue(tool_choice=choice, turn_detection=detection, limits={"max_silent_responses": limit})
        self.choice = choice
        self.interruptible = interruptible
        self.phone = Phone()
        self.pending: deque[dict[str, Any]] = deque()  # each `response.create` that the server has not answered
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
        self.item = ""  # the newest one of the agent
        self.item_response: dict[str, str] = {}
        self.generated: dict[str, float] = {}
        self.checks: list[str] = []
        self.known: EscalationSeen | None = None  # the result of the last check
        self.saying = ""  # what the active response was asked to say
        self.joins_said = False  # the agent has said who takes over
        self.given_up = False  # a limit or a failure of the model may transfer the call before that
        self.connected = True
        self.connecting = False
        self.told: dict[str, int] = {}  # by function call: the number of the session that got its result as text
        self.count = self.steps = self.sessions = 0
        self._check(self.dialogue.ready())

    # The call's effects, checked against the rules

    def _check(self, effects: list[Effect], *, after_error: bool = False) -> None:
        self.steps += 1
        unheard = any(kind == "audio" for kind, _ in self.phone.queue)
        for effect in effects:
            match effect:
                case HangUp(CallEnd.TRANSFERRED):
                    self._check_transfer(effect, unheard=unheard)
                case CheckEscalation(escalation_id):
                    assert not self.checks, "two checks at once"
                    assert self.stored, "checked an escalation that is not stored"
                    self.checks.append(escalation_id)
                case SendToModel(event):
                    self._check_event(event, after_error=after_error)
                case PlayAudio(payload):
                    item = "hold tone" if payload == HOLD_TONE else self.item
                    self.phone.queue.append(("audio", [item, payload_bytes(payload) / BYTES_PER_MS]))
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

    def _check_transfer(self, end: HangUp, *, unheard: bool) -> None:
        assert self.known, "handed over without an assignee"
        assert self._somebody_waits(), "handed over to a person who does not wait"
        assert end.escalation_id == self.known.escalation_id, "handed over for another escalation"
        assert self.given_up or (self.joins_said and not unheard), "handed over before the caller was told"

    def _somebody_waits(self) -> bool:
        known = self.known
        return bool(known and known.status is Status.ACCEPTED and known.ready and not known.calling_back)

    def _check_event(self, event: dict[str, Any], *, after_error: bool) -> None:
        if event["type"] == "response.create":
            assert self.active is None, "rule 1: requested a response while one is active"
            assert not self.pending, "rule 1: requested a response while another is requested"
            assert not after_error, "rule 2: an error caused a response"
            assert not self.joins_said, "the agent speaks after it has said who takes over"
            choice = event["response"]["tool_choice"]
            assert self.silent < self.limit or choice == "none", "rule 2: too many consecutive silent responses"
            self.pending.append(event)
        elif event["type"] == "conversation.item.create" and event["item"]["type"] == "function_call_output":
            call_id, output = event["item"]["call_id"], event["item"]["output"]
            self.calls[call_id].append(output)
            assert len(self.calls[call_id]) == 1, "rule 3: a second output"
            if '"sent"' in output or '"updated"' in output:
                assert call_id in self.stored, "rule 5: said before it was stored"
            if "earlier request" in output:
                assert self.stored, "rule 5: mentioned an earlier request that was not stored"
            if "person_coming" in output or "person_joining" in output:
                assert self.known, "mentioned a person before a check showed one"
                assert self.known.status is Status.ACCEPTED, "mentioned a person who has not accepted"
            self.unacknowledged.append(call_id)
        elif event["type"] == "conversation.item.create" and event["item"]["role"] == "system":
            self._check_note(event["item"]["content"][0]["text"])
        elif event["type"] == "conversation.item.truncate":
            item, ms = event["item_id"], event["audio_end_ms"]
            assert item not in self.truncated, "rule 4: cut twice"
            assert ms <= self.phone.played.get(item, 0), "rule 4: the model's history has more than the caller heard"
            self.truncated[item] = ms

    def _check_note(self, text: str) -> None:
        if not text.startswith("You called"):  # about the escalation
            assert self.stored, "rule 5: said before it was stored"
            return
        call_id = json.loads(text[text.index("(") + 1 : text.index(")")])["summary"]
        assert self.told.get(call_id) != self.sessions, "rule 3: a session got the result of a call twice"
        self.told[call_id] = self.sessions

    def _another_session(self) -> None:
        """Discards the state of the session before."""
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
        """The call runs and its session is ready."""
        return self.running() and self.connected

    # Invariants between events

    @invariant()
    def unheard_items_are_cut(self) -> None:
        """Rule 4: an item that the phone did not play in full is truncated."""
        if not self.running():
            return
        waiting = {what[0] for kind, what in self.phone.queue if kind == "audio"}
        for item, generated in self.generated.items():
            if self.phone.played.get(item, 0) < generated and item not in waiting:
                assert item in self.truncated, "rule 4: an unheard item was not truncated"

    def teardown(self) -> None:
        """Rule 3: when the tools have finished, every function call has exactly one output."""
        if not self.running():
            return
        while self.tools:
            self._check(self.dialogue.feed(ToolFinished(self.tools.pop(), "done")))
        while self.escalations:
            self._check(self.dialogue.feed(EscalationNotSent(self.escalations.pop())))
        unanswered = [call for call, outputs in self.calls.items() if not outputs and call not in self.told]
        assert not unanswered or not self.connected, "rule 3: a call without an output"
