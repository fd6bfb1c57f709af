"""The progress of the escalation: checked once a second while one is open; the agent is told of every change.

When the assignee waits on the phone, this starts the agent's last words and the hand-over.
"""

import json
from datetime import datetime
from enum import Enum
from typing import Any, Final

from shared.escalations.record import HANDLED, EscalationRecord, Status
from worker.conversation import prompts
from worker.conversation.effects import CheckEscalation, EffectQueue, EscalationNotSeen, EscalationSeen, Timer
from worker.conversation.escalation import EscalationRequests
from worker.conversation.farewell import Farewell
from worker.conversation.notes import Notes
from worker.conversation.resumption import ResumedCall
from worker.engines.realtime.turns import Purpose, TurnTaking

_EVERY_MS: Final = 1_000


class Stage(Enum):
    """The escalation's progress as it matters to the caller. The values are the `status` of the tool's output."""

    ASKED = "nobody_yet"
    COMING = "person_coming"
    READY = "person_joining"
    CALLING = "person_will_call"
    PROMISED = "callback_promised"
    OVER = "over"


class EscalationProgress:
    """Keeps the last known stage. One check runs at a time; a failed check is repeated."""

    def __init__(
        self,
        effects: EffectQueue,
        turn_taking: TurnTaking,
        escalation_requests: EscalationRequests,
        farewell: Farewell,
        notes: Notes,
        resumed: ResumedCall | None,
    ) -> None:
        self._effects = effects
        self._turn_taking = turn_taking
        self._escalation_requests = escalation_requests
        self._farewell = farewell
        self._notes = notes
        self._checking = False
        self._check_failed = False  # the last one
        self._seen_at = 0.0
        self._stage = Stage.ASKED
        self._person: str | None = None
        self._queued: str | None = None  # instructions of the last call update that we asked the agent to tell
        record = resumed.records[-1] if resumed and resumed.records else None
        # The caller is back because the assignee has hung up. The record shows this only a moment later.
        self._assignee_left = bool(resumed and resumed.returned and record and record.ready)
        if record and record.status in HANDLED:
            self._stage, self._person = Stage.OVER, record.person_name

    @property
    def waiting(self) -> str | None:
        """Instructions for a silence while the caller waits for a person; None if no person is expected to join."""
        if not self._escalation_requests.open or self._check_failed:
            return None
        if self._stage is Stage.COMING:
            return prompts.still_coming(self._person)
        return prompts.STILL_ASKING if self._stage is Stage.ASKED else None

    def schedule_check(self) -> None:
        """Sets the timer for the next check while an escalation is open, and cancels it otherwise."""
        if not self._escalation_requests.open:
            self._effects.cancel(Timer.ESCALATION_CHECK)
        elif not self._checking and not self._effects.is_set(Timer.ESCALATION_CHECK):
            self._effects.set(Timer.ESCALATION_CHECK, _EVERY_MS)

    def check(self) -> None:
        """Starts a check, unless one is running; its result comes to `checked`."""
        if self._escalation_requests.open and not self._checking:
            self._checking = True
            self._effects.put(CheckEscalation(self._escalation_requests.open))

    def checked(self, result: EscalationSeen | EscalationNotSeen, now: float) -> None:
        """Handles the result of a check."""
        self._checking = False
        self._check_failed = isinstance(result, EscalationNotSeen)
        if isinstance(result, EscalationSeen) and result.escalation_id == self._escalation_requests.open:
            self._seen_at = now
            self._update(_stage(result), result.person, now)

    def _update(self, stage: Stage, person: str | None, now: float) -> None:
        if self._assignee_left and stage is Stage.READY:
            return
        self._assignee_left = False
        before, person_before = self._stage, self._person
        if (stage, person) == (before, person_before):
            return
        self._stage, self._person = stage, person
        self._withdraw()
        if before is Stage.READY:
            self._farewell.person_has_gone()
        if stage is Stage.OVER:
            self._escalation_requests.over()
        elif stage is Stage.READY:
            self._notes.keep(self._fact, now)
            self._farewell.hand_over_to_person(self._escalation_requests.current_id, prompts.person_joins(person))
        elif stage is Stage.ASKED:
            self._on_unassigned(before, person_before, now)
        elif (before, stage) == (Stage.CALLING, Stage.PROMISED):
            self._notes.keep(self._fact, now)  # another person will call back instead; the caller need not know
        else:
            self._say(self._fact, now)

    def _on_unassigned(self, before: Stage, person: str | None, now: float) -> None:
        if before is Stage.READY:  # the agent may already have told the caller who joins
            self._say(prompts.person_gone(person), now)
        elif before in (Stage.COMING, Stage.CALLING):
            self._notes.keep(prompts.person_gone(person), now)

    def _say(self, update: str, now: float) -> None:
        self._notes.keep(update, now)
        self._queued = prompts.tell(update)
        self._turn_taking.request(Purpose.PROMPT, self._queued)

    def _withdraw(self) -> None:
        """Withdraws the last call update if the agent has not told it yet: it is outdated."""
        if self._queued:
            self._turn_taking.withdraw(Purpose.PROMPT, self._queued)
            self._queued = None

    @property
    def _fact(self) -> str:
        match self._stage:
            case Stage.ASKED:
                return prompts.NOBODY_YET
            case Stage.COMING:
                return prompts.person_coming(self._person)
            case Stage.READY:
                return prompts.person_on_phone(self._person)
            case Stage.CALLING:
                return prompts.person_will_call(self._person)
            case Stage.PROMISED:
                return prompts.callback_promised(can_be_called=self._escalation_requests.can_be_called)
            case Stage.OVER:
                return prompts.dealt_with(self._person)

    def answer(self, at: datetime, now: float) -> str:
        """The output of the tool `escalation_status`."""
        escalation_requests = self._escalation_requests
        if not escalation_requests.open:
            if escalation_requests.sending:
                return _output("being_sent", prompts.BEING_SENT)
            if escalation_requests.unsent:
                return _output("not_sent", prompts.NOT_SENT_YET)
            if self._stage is not Stage.OVER:
                return _output("not_asked", prompts.NOT_ASKED)
            return _output(Stage.OVER.value, self._fact, person=self._person)
        fact = self._fact
        if self._check_failed:
            fact = prompts.cannot_be_seen(fact, round((now - self._seen_at) / 1000) if self._seen_at else None)
        waiting = round((at - escalation_requests.asked_at).total_seconds()) if escalation_requests.asked_at else None
        return _output(self._stage.value, fact, person=self._person, seconds_since_asked=waiting)


def seen(escalation_id: str, record: EscalationRecord | None) -> EscalationSeen:
    """The result of a check, from the record; without a record the escalation is still in the queue."""
    if record is None:
        return EscalationSeen(escalation_id, Status.QUEUED)
    return EscalationSeen(escalation_id, record.status, record.person_name, record.ready, record.calling_back)


def _stage(seen: EscalationSeen) -> Stage:
    match seen.status:
        case Status.ACCEPTED if seen.calling_back:
            return Stage.CALLING
        case Status.ACCEPTED:
            return Stage.READY if seen.ready else Stage.COMING
        case Status.CALLBACK | Status.EXPIRED:
            return Stage.PROMISED
        case status if status in HANDLED:
            return Stage.OVER
        case _:
            return Stage.ASKED


def _output(status: str, note: str, **known: Any) -> str:
    fields = {key: value for key, value in known.items() if value is not None}
    return json.dumps({"status": status, **fields, "note": note})
