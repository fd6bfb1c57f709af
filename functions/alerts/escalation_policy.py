"""The ladder: tier after tier is alerted until somebody takes the caller, and who is taken by nobody is called back.

What is to be done stands in the escalation's life, and only whoever has claimed it there does it; the queue's reminders
say when. So a reminder that comes twice, late or after the fact changes nothing, and one alert goes to one person once.

The ladder also looks after what may have gone unnoticed: a person who waits for the caller and has hung up, and a
caller who waits for a person that does not come.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from functions.alerts.alert import Alert
from functions.alerts.channels import channels, written
from functions.alerts.fan_out import Delivery, alert_everybody
from functions.alerts.idempotency import Once
from functions.alerts.settings import AlertsSettings
from shared.calls.store import StoreUnavailable
from shared.escalations.caller_return import CallerReturn
from shared.escalations.record import (
    HUNG_UP,
    LOOKED_AFTER_EVERY_S,
    OVER,
    TALK_CHECKED_EVERY_S,
    Life,
    OutOfOrder,
    Refused,
    SentAlert,
    Status,
)
from shared.escalations.reminders import LadderQueue, Look
from shared.escalations.request import Escalation
from shared.escalations.store import EscalationStore
from shared.logs import logger, metric
from shared.on_call import link as desk_link
from shared.on_call.roster import Person, Roster
from shared.on_call.store import RosterStore
from shared.twilio.calls import is_over
from shared.twilio.rest import CallUnknown, Telephony

log = logger("alerts")

# Longer than an invocation lives (Timeout in template.yaml): nobody else goes on where one may still be at it.
CLAIM_S = 30
ASKED_AGAIN_S = 60
# A caller may be listening to music meanwhile.
TABLE_TRIED_AGAIN_S = 10
# No call lasts longer, whatever Twilio does or does not say of it.
LONGEST_CALL_S = 24 * 60 * 60
# A call back within half an hour is what people expect who were promised one.
OVERDUE_S = 30 * 60
PROMISE = "promise"


class NobodyAlerted(Exception):
    """No channel accepted the alert."""


@dataclass(frozen=True)
class Ladder:
    """What moves escalations on."""

    settings: AlertsSettings
    escalations: EscalationStore
    reminders: LadderQueue
    rosters: RosterStore
    telephony: Telephony
    once: Once
    caller_return: CallerReturn

    def begin(self, escalation: Escalation) -> None:
        """Takes in an escalation or a later revision of one, and alerts the first tier unless that was done.

        Raises:
            NobodyAlerted: when there was somebody to alert and no alert was accepted. The escalation is kept.
            StoreUnavailable, LookNotSent: when it could not be kept. The next delivery alerts nobody twice.
        """
        life = self._take_in(escalation)
        if life.status is Status.QUEUED:
            life = self._climb(life)
        # Also when it was begun before: the one that did may not have got as far as this.
        self.reminders.look_at(life)

    def _take_in(self, escalation: Escalation) -> Life:
        """A wish that is younger than the end of its escalation is a new one: who sent it could not read the table."""
        life = self.escalations.record(escalation, _now())
        over = life.status in OVER and escalation.created_at > life.steps[-1].at
        following = escalation.as_next() if over else None
        return self._take_in(following) if following else life

    def look(self, look: Look) -> None:
        """Makes a look at an escalation: does what is due, and has the queue bring the next look.

        Raises:
            LookNotSent: when there might be no next look. The reminder has to come again.
        """
        try:
            self._look(look)
        except StoreUnavailable:
            log.exception("the table was away when an escalation was due", extra={"escalation_id": look.escalation_id})
            metric("alerts", "EscalationsFailed")
            self.reminders.once_more(look, TABLE_TRIED_AGAIN_S)

    def _look(self, look: Look) -> None:
        life = self.escalations.get(look.escalation_id)
        if life is None or not life.watched or (look.look < life.looks and not look.again):
            return
        if _is_due(life):
            try:
                life = self.escalations.change(_id(life), lambda there: there.looked_at(look.look))
            except OutOfOrder:  # another reminder was faster; or this one began the look when it came before
                if not look.again:
                    return
            life = self._see_to(life)
        self.reminders.look_at(life)

    def _see_to(self, life: Life) -> Life:
        """Does what is due. A caller who may be alone comes first."""
        if life.caller_alone:
            life = self._bring_back(life)
        if life.status is Status.CALLBACK and not life.caller_alone:
            self._remember_promise(life)
        elif life.due and life.due <= _now():
            life = self._move(life)
        return life

    def _bring_back(self, life: Life) -> Life:
        if life.return_due is None or life.return_due > _now():
            return life
        too_old = _now() - life.escalation.created_at > timedelta(seconds=LONGEST_CALL_S)
        if too_old or self.caller_return.settled(life):
            return self._change(life, _if_still(life, lambda there: there.caller_settled()))
        due = _in(ASKED_AGAIN_S if life.talking_on else LOOKED_AFTER_EVERY_S)
        return self._change(life, _if_still(life, lambda there: there.look_for_caller(due)))

    def _move(self, life: Life) -> Life:
        if life.status is Status.CONNECTED:
            return self._still_talking(life)
        if life.status is Status.ACCEPTED:
            life = self._still_coming(life)
        return self._climb(life) if life.status in (Status.QUEUED, Status.ALERTED) else life

    def _still_coming(self, life: Life) -> Life:
        """Looks after a person who has taken it and does not have the caller yet."""
        if life.join_by and life.join_by > _now():
            if life.ready and self._has_hung_up(life):
                return self._change(life, _if_still(life, lambda there: there.released(_now(), HUNG_UP)))
            due = min(life.join_by, _in(LOOKED_AFTER_EVERY_S))
            return self._change(life, _if_still(life, lambda there: there.look_again(due)))
        if self._are_together(life):
            due = _in(TALK_CHECKED_EVERY_S)
            return self._change(life, _if_still(life, lambda there: there.connected(_now(), due)))
        return self._change(life, _if_still(life, lambda there: there.released(_now(), "did not come in time")))

    def _climb(self, life: Life) -> Life:
        """Alerts the next tier in which somebody can be, once it is due; without one, a call back is promised."""
        if life.due is None or life.due > _now():
            return life
        roster, tried = self.rosters.roster(self.settings), 0
        try:
            life = self.escalations.change(_id(life), lambda there: there.claimed(_now(), _in(CLAIM_S)))
        except Refused:  # somebody else has, or it has been taken
            return self.escalations.get(_id(life)) or life
        for tier in range(life.tier + 1, len(roster.tiers) + 1):
            people = roster.on_duty(tier, life.escalation.language, _now())
            tried += len(people)
            if reached := self._alert(life, people, tier, roster):
                can_take_it = tuple(alert for alert in reached if roster.people[alert.person].phone)
                event = _alerted(tier, _in(roster.tiers[tier - 1].accept_within_s), can_take_it)
                return self._change(life, event)
        if tried and life.tier == 0:
            # The next delivery need not wait until the claim is over.
            self._change(life, _if_still(life, lambda there: there.look_again(_now())))
            raise NobodyAlerted(f"nobody could be alerted about escalation {_id(life)}")
        return self._expire(life, "nobody accepted it" if tried or life.tier else "nobody is on duty", roster)

    def _expire(self, life: Life, why: str, roster: Roster) -> Life:
        life = self._change(life, lambda there: there.expired(_now(), why))
        if life.status is Status.CALLBACK:
            self._promise(life, roster)
        return life

    def _alert(self, life: Life, people: Iterable[Person], tier: int, roster: Roster) -> tuple[SentAlert, ...]:
        rules = self.settings.callback_rules(roster)
        deliveries = [
            Delivery(person.id, channel, Alert.about(life.escalation, self._link(life, person), rules), f"tier {tier}")
            for person in people
            for channel in channels(person, self.telephony, self.settings)
        ]
        return alert_everybody(deliveries, self.once)

    def _promise(self, life: Life, roster: Roster) -> None:
        """Tells everybody on duty, each once, that somebody is to call back."""
        rules = self.settings.callback_rules(roster)
        deliveries = [
            Delivery(person.id, channel, Alert.of_promise(life.escalation, self._link(life, person), rules), PROMISE)
            for person in roster.everybody(_now())
            for channel in written(person, self.telephony, self.settings)
        ]
        alert_everybody(deliveries, self.once)

    def _remember_promise(self, life: Life) -> None:
        """Tells those who have come on duty since, and the alarms once the caller has waited for too long."""
        self._promise(life, self.rosters.roster(self.settings))
        listed = life.since(Status.CALLBACK)
        if listed and _now() - listed > timedelta(seconds=OVERDUE_S):
            metric("alerts", "CallbacksOverdue")
            log.warning("a caller has been waiting for a call back", extra={"escalation_id": _id(life)})

    def _has_hung_up(self, life: Life) -> bool:
        """Whether the call to the person who waits is over, and only the news of it got lost."""
        try:
            return life.leg is None or is_over(self.telephony.status_of(life.leg))
        except CallUnknown as failure:
            log.warning("a call to a person could not be looked at: %s", failure, extra={"escalation_id": _id(life)})
            return False

    def _are_together(self, life: Life) -> bool:
        """Whether person and caller talk to each other, and only the news of it got lost."""
        if not (life.leg and life.caller_joined):
            return False
        try:
            # Whoever waits is with a caller who has come within seconds, so it has to be the conference by now.
            return not any(is_over(self.telephony.status_of(sid)) for sid in (life.leg, life.escalation.call_sid))
        except CallUnknown as failure:
            log.warning("a take-over could not be looked at: %s", failure, extra={"escalation_id": _id(life)})
            return False

    def _still_talking(self, life: Life) -> Life:
        """Makes sure that a conversation whose end nobody was told of has one."""
        try:
            over = life.leg is None or is_over(self.telephony.status_of(life.leg))
        except CallUnknown as failure:
            log.warning("a conversation could not be looked at: %s", failure, extra={"escalation_id": _id(life)})
            return self._change(life, _if_still(life, lambda there: there.look_again(_in(ASKED_AGAIN_S))))
        if not over:
            return self._change(life, _if_still(life, lambda there: there.look_again(_in(TALK_CHECKED_EVERY_S))))
        seconds = int((_now() - (life.since(Status.CONNECTED) or _now())).total_seconds())
        return self._change(life, lambda there: there.talked(_now(), seconds))

    def _change(self, life: Life, event: Callable[[Life], Life]) -> Life:
        """The life after an event, or after whatever somebody else did who was faster."""
        try:
            return self.escalations.change(_id(life), event)
        except Refused:
            return self.escalations.get(_id(life)) or life

    def _link(self, life: Life, person: Person) -> str:
        token = desk_link.mint(self.settings.signing_key, _id(life), person.id)
        return f"{self.settings.public_url}/desk/{token}"


def _is_due(life: Life) -> bool:
    """Whether it is time for the next look; on the call-back list it always is."""
    return life.next_look is None or life.next_look <= _now()


def _alerted(tier: int, due: datetime, alerts: tuple[SentAlert, ...]) -> Callable[[Life], Life]:
    return lambda there: there.alerted(tier, _now(), due, alerts)


def _if_still(life: Life, event: Callable[[Life], Life]) -> Callable[[Life], Life]:
    """The event, unless anything else has happened since."""

    def guarded(there: Life) -> Life:
        return event(there) if there.version == life.version else there

    return guarded


def _id(life: Life) -> str:
    return life.escalation.escalation_id


def _now() -> datetime:
    return datetime.now(UTC)


def _in(seconds: float) -> datetime:
    return _now() + timedelta(seconds=seconds)
