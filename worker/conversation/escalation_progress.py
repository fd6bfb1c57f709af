"""What has become of the escalation: looked up once a second while one is open, told to the agent when it is news.

When the person is on the phone and waits, the agent's last words and the hand-over follow from here.
"""

import json
from datetime import datetime
from enum import Enum
from typing import Any, Final

from shared.escalations.record import HANDLED, EscalationRecord, Status
from worker.conversation import prompts
from worker.conversation.effects import EffectQueue, EscalationNotSeen, EscalationSeen, LookAtEscalation, Timer
from worker.conversation.escalation import EscalationRequests
from worker.conversation.farewell import Farewell
from worker.conversation.notes import Notes
from worker.conversation.resumption import ResumedCall
from worker.engines.realtime.turns import Purpose, TurnTaking

_EVERY_MS: Final = 1_000


class Stage(Enum):
    """How far it has come, as it matters to a caller who waits."""

    ASKED = "nobody_yet"
    COMING = "person_coming"
    READY = "person_joining"
    CALLING = "person_will_call"
    PROMISED = "call_back_promised"
    OVER = "over"


class EscalationProgress:
    """Keeps what was seen last. One look is out at a time, and a table that does not answer is asked again."""

    def __init__(
        self,
        effects: EffectQueue,
        turns: TurnTaking,
        escalation_requests: EscalationRequests,
        farewell: Farewell,
        notes: Notes,
        past: ResumedCall | None,
    ) -> None:
        self._effects = effects
        self._turns = turns
        self._escalation_requests = escalation_requests
        self._farewell = farewell
        self._notes = notes
        self._looking = False
        self._blind = False  # the last look found no answer
        self._seen_at = 0.0
        self._stage = Stage.ASKED
        self._person: str | None = None
        self._untold: str | None = None  # news that the agent has been asked to tell
        record = past.records[-1] if past and past.records else None
        # The caller comes back because that person has gone; it takes the table a moment to say so.
        self._left_behind = bool(past and past.returned and record and record.ready)
        if record and record.status in HANDLED:
            self._stage, self._person = Stage.OVER, record.person_name

    @property
    def waiting(self) -> str | None:
        """What to say into a silence of a caller who waits for a person; None for one who has nobody to wait for."""
        if not self._escalation_requests.open or self._blind:
            return None
        if self._stage is Stage.COMING:
            return prompts.still_coming(self._person)
        return prompts.STILL_ASKING if self._stage is Stage.ASKED else None

    def keep_on(self) -> None:
        """Sees to it that there is a next look as long as an escalation is open."""
        if not self._escalation_requests.open:
            self._effects.cancel(Timer.ESCALATION_WATCH)
        elif not self._looking and not self._effects.is_set(Timer.ESCALATION_WATCH):
            self._effects.set(Timer.ESCALATION_WATCH, _EVERY_MS)

    def look(self) -> None:
        """It is time for the next look."""
        if self._escalation_requests.open and not self._looking:
            self._looking = True
            self._effects.put(LookAtEscalation(self._escalation_requests.open))

    def take(self, outcome: EscalationSeen | EscalationNotSeen, now: float) -> None:
        """Takes what a look has brought."""
        self._looking = False
        self._blind = isinstance(outcome, EscalationNotSeen)
        if isinstance(outcome, EscalationSeen) and outcome.escalation_id == self._escalation_requests.open:
            self._seen_at = now
            self._saw(_stage(outcome), outcome.person, now)

    def _saw(self, stage: Stage, person: str | None, now: float) -> None:
        if self._left_behind and stage is Stage.READY:
            return
        self._left_behind = False
        before, who_before = self._stage, self._person
        if (stage, person) == (before, who_before):
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
            self._nobody_comes(before, who_before, now)
        elif (before, stage) == (Stage.CALLING, Stage.PROMISED):
            self._notes.keep(self._fact, now)  # somebody else is to keep the promise
        else:
            self._say(self._fact, now)

    def _nobody_comes(self, before: Stage, person: str | None, now: float) -> None:
        if before is Stage.READY:  # the caller may have heard a name
            self._say(prompts.person_gone(person), now)
        elif before in (Stage.COMING, Stage.CALLING):
            self._notes.keep(prompts.person_gone(person), now)

    def _say(self, news: str, now: float) -> None:
        self._notes.keep(news, now)
        self._untold = prompts.tell(news)
        self._turns.request(Purpose.PROMPT, self._untold)

    def _withdraw(self) -> None:
        """What has not been said yet may not be true any more."""
        if self._untold:
            self._turns.withdraw(Purpose.PROMPT, self._untold)
            self._untold = None

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
                return prompts.call_back_promised(can_be_called=self._escalation_requests.can_be_called)
            case Stage.OVER:
                return prompts.dealt_with(self._person)

    def answer(self, at: datetime, now: float) -> str:
        """The output of the tool `escalation_status`: what is known, and no more."""
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
        if self._blind:
            fact = prompts.cannot_be_seen(fact, round((now - self._seen_at) / 1000) if self._seen_at else None)
        waiting = round((at - escalation_requests.asked_at).total_seconds()) if escalation_requests.asked_at else None
        return _output(self._stage.value, fact, person=self._person, seconds_since_asked=waiting)


def seen(escalation_id: str, record: EscalationRecord | None) -> EscalationSeen:
    """A record as the call sees it; one that nobody has begun with waits in the queue."""
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
    told = {key: value for key, value in known.items() if value is not None}
    return json.dumps({"status": status, **told, "note": note})
