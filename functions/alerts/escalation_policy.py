"""The escalation policy: alerts one tier after the other until somebody accepts, and then promises a callback.

What is to be done is in the escalation's record, and only the process that has claimed the next tier there does it.
Reminders say when. So a reminder that comes twice, late or after the fact changes nothing, and one alert goes to one
person once.

The policy also checks what may have gone unnoticed: that a person who waits for the caller has hung up, or that a
caller waits for a person who does not come.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from functions.alerts.alert import Alert
from functions.alerts.channels import channels, text_channels
from functions.alerts.fan_out import Delivery, alert_everybody
from functions.alerts.idempotency import SendOnce
from functions.alerts.settings import AlertsSettings
from shared.calls.store import StoreUnavailable
from shared.escalations.caller_return import CallerReturn
from shared.escalations.record import (
    HANDLED,
    HUNG_UP,
    TALK_CHECK_INTERVAL_S,
    WATCH_INTERVAL_S,
    EscalationRecord,
    Event,
    OutOfOrder,
    Refused,
    SentAlert,
    Status,
)
from shared.escalations.reminders import Reminder, ReminderQueue
from shared.escalations.request import Escalation
from shared.escalations.store import EscalationStore
from shared.logs import logger, metric
from shared.on_call import link
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
class EscalationPolicy:
    """What moves escalations on."""

    settings: AlertsSettings
    escalations: EscalationStore
    reminders: ReminderQueue
    rosters: RosterStore
    telephony: Telephony
    send_once: SendOnce
    caller_return: CallerReturn

    def begin(self, escalation: Escalation) -> None:
        """Takes in an escalation or a later revision of one, and alerts the first tier unless that was done.

        Raises:
            NobodyAlerted: when there was somebody to alert and no alert was accepted. The escalation is kept.
            StoreUnavailable, ReminderNotSent: when it could not be kept. The next delivery alerts nobody twice.
        """
        record = self._take_in(escalation)
        if record.status is Status.QUEUED:
            record = self._alert_next_tier(record)
        # Also when it was begun before: the one that did may not have got as far as this.
        self.reminders.remind(record)

    def _take_in(self, escalation: Escalation) -> EscalationRecord:
        """A wish that is younger than the end of its escalation is a new one: who sent it could not read the table."""
        record = self.escalations.upsert(escalation, _now())
        over = record.status in HANDLED and escalation.created_at > record.history[-1].at
        following = escalation.as_next() if over else None
        return self._take_in(following) if following else record

    def check(self, reminder: Reminder) -> None:
        """Makes a look at an escalation: does what is due, and has the queue bring the next look.

        Raises:
            ReminderNotSent: when there might be no next look. The reminder has to come again.
        """
        try:
            self._check(reminder)
        except StoreUnavailable:
            log.exception(
                "the table was away when an escalation was due", extra={"escalation_id": reminder.escalation_id}
            )
            metric("alerts", "EscalationsFailed")
            self.reminders.repeat(reminder, TABLE_TRIED_AGAIN_S)

    def _check(self, reminder: Reminder) -> None:
        record = self.escalations.get(reminder.escalation_id)
        if record is None or not record.needs_checks or (reminder.check < record.checks and not reminder.again):
            return
        if _is_due(record):
            try:
                record = self.escalations.change(_id(record), lambda there: there.check_begun(reminder.check))
            except OutOfOrder:  # another reminder was faster; or this one began the look when it came before
                if not reminder.again:
                    return
            record = self._do_what_is_due(record)
        self.reminders.remind(record)

    def _do_what_is_due(self, record: EscalationRecord) -> EscalationRecord:
        """Does what is due. A caller who may be alone comes first."""
        if record.caller_alone:
            record = self._bring_back(record)
        if record.status is Status.CALLBACK and not record.caller_alone:
            self._remember_promise(record)
        elif record.due_at and record.due_at <= _now():
            record = self._move(record)
        return record

    def _bring_back(self, record: EscalationRecord) -> EscalationRecord:
        if record.return_check_at is None or record.return_check_at > _now():
            return record
        too_old = _now() - record.escalation.created_at > timedelta(seconds=LONGEST_CALL_S)
        if too_old or self.caller_return.settled(record):
            return self._change(record, _if_still(record, lambda there: there.caller_settled()))
        due = _in(ASKED_AGAIN_S if record.talking_on else WATCH_INTERVAL_S)
        return self._change(record, _if_still(record, lambda there: there.return_check_later(due)))

    def _move(self, record: EscalationRecord) -> EscalationRecord:
        if record.status is Status.CONNECTED:
            return self._still_talking(record)
        if record.status is Status.ACCEPTED:
            record = self._still_coming(record)
        return self._alert_next_tier(record) if record.status in (Status.QUEUED, Status.ALERTED) else record

    def _still_coming(self, record: EscalationRecord) -> EscalationRecord:
        """Looks after a person who has taken it and does not have the caller yet."""
        if record.join_by and record.join_by > _now():
            if record.ready and self._has_hung_up(record):
                return self._change(record, _if_still(record, lambda there: there.unassigned(_now(), HUNG_UP)))
            due = min(record.join_by, _in(WATCH_INTERVAL_S))
            return self._change(record, _if_still(record, lambda there: there.rescheduled(due)))
        if self._are_together(record):
            due = _in(TALK_CHECK_INTERVAL_S)
            return self._change(record, _if_still(record, lambda there: there.connected(_now(), due)))
        return self._change(record, _if_still(record, lambda there: there.unassigned(_now(), "did not come in time")))

    def _alert_next_tier(self, record: EscalationRecord) -> EscalationRecord:
        """Alerts the next tier in which somebody can be, once it is due; without one, a call back is promised."""
        if record.due_at is None or record.due_at > _now():
            return record
        roster, tried = self.rosters.roster(self.settings), 0
        try:
            record = self.escalations.change(_id(record), lambda there: there.claimed(_now(), _in(CLAIM_S)))
        except Refused:  # somebody else has, or it has been taken
            return self.escalations.get(_id(record)) or record
        for tier in range(record.tier + 1, len(roster.tiers) + 1):
            people = roster.on_duty(tier, record.escalation.language, _now())
            tried += len(people)
            if reached := self._alert(record, people, tier, roster):
                can_take_it = tuple(alert for alert in reached if roster.people[alert.person].phone)
                event = _alerted(tier, _in(roster.tiers[tier - 1].accept_within_s), can_take_it)
                return self._change(record, event)
        if tried and record.tier == 0:
            # The next delivery need not wait until the claim is over.
            self._change(record, _if_still(record, lambda there: there.rescheduled(_now())))
            raise NobodyAlerted(f"nobody could be alerted about escalation {_id(record)}")
        return self._expire(record, "nobody accepted it" if tried or record.tier else "nobody is on duty", roster)

    def _expire(self, record: EscalationRecord, why: str, roster: Roster) -> EscalationRecord:
        record = self._change(record, lambda there: there.expired(_now(), why))
        if record.status is Status.CALLBACK:
            self._promise(record, roster)
        return record

    def _alert(
        self, record: EscalationRecord, people: Iterable[Person], tier: int, roster: Roster
    ) -> tuple[SentAlert, ...]:
        rules = self.settings.callback_rules(roster)
        deliveries = [
            Delivery(
                person.id, channel, Alert.about(record.escalation, self._link(record, person), rules), f"tier {tier}"
            )
            for person in people
            for channel in channels(person, self.telephony, self.settings)
        ]
        return alert_everybody(deliveries, self.send_once)

    def _promise(self, record: EscalationRecord, roster: Roster) -> None:
        """Tells everybody on duty, each once, that somebody is to call back."""
        rules = self.settings.callback_rules(roster)
        deliveries = [
            Delivery(
                person.id, channel, Alert.of_promise(record.escalation, self._link(record, person), rules), PROMISE
            )
            for person in roster.everybody(_now())
            for channel in text_channels(person, self.telephony, self.settings)
        ]
        alert_everybody(deliveries, self.send_once)

    def _remember_promise(self, record: EscalationRecord) -> None:
        """Tells those who have come on duty since, and the alarms once the caller has waited for too long."""
        self._promise(record, self.rosters.roster(self.settings))
        listed = record.since(Status.CALLBACK)
        if listed and _now() - listed > timedelta(seconds=OVERDUE_S):
            metric("alerts", "CallbacksOverdue")
            log.warning("a caller has been waiting for a call back", extra={"escalation_id": _id(record)})

    def _has_hung_up(self, record: EscalationRecord) -> bool:
        """Whether the call to the person who waits is over, and only the news of it got lost."""
        try:
            return record.leg is None or is_over(self.telephony.status_of(record.leg))
        except CallUnknown as failure:
            log.warning("a call to a person could not be looked at: %s", failure, extra={"escalation_id": _id(record)})
            return False

    def _are_together(self, record: EscalationRecord) -> bool:
        """Whether person and caller talk to each other, and only the news of it got lost."""
        if not (record.leg and record.caller_joined):
            return False
        try:
            # Whoever waits is with a caller who has come within seconds, so it has to be the conference by now.
            return not any(is_over(self.telephony.status_of(sid)) for sid in (record.leg, record.escalation.call_sid))
        except CallUnknown as failure:
            log.warning("a take-over could not be looked at: %s", failure, extra={"escalation_id": _id(record)})
            return False

    def _still_talking(self, record: EscalationRecord) -> EscalationRecord:
        """Makes sure that a conversation whose end nobody was told of has one."""
        try:
            over = record.leg is None or is_over(self.telephony.status_of(record.leg))
        except CallUnknown as failure:
            log.warning("could not check a conversation: %s", failure, extra={"escalation_id": _id(record)})
            return self._change(record, _if_still(record, lambda there: there.rescheduled(_in(ASKED_AGAIN_S))))
        if not over:
            return self._change(record, _if_still(record, lambda there: there.rescheduled(_in(TALK_CHECK_INTERVAL_S))))
        seconds = int((_now() - (record.since(Status.CONNECTED) or _now())).total_seconds())
        return self._change(record, lambda there: there.call_ended(_now(), seconds))

    def _change(self, record: EscalationRecord, event: Event) -> EscalationRecord:
        """The record after an event, or after whatever somebody else did who was faster."""
        try:
            return self.escalations.change(_id(record), event)
        except Refused:
            return self.escalations.get(_id(record)) or record

    def _link(self, record: EscalationRecord, person: Person) -> str:
        token = link.sign(self.settings.signing_key, _id(record), person.id)
        return f"{self.settings.public_url}/desk/{token}"


def _is_due(record: EscalationRecord) -> bool:
    """Whether it is time for the next look; on the call-back list it always is."""
    return record.next_check_at is None or record.next_check_at <= _now()


def _alerted(tier: int, due: datetime, alerts: tuple[SentAlert, ...]) -> Event:
    return lambda there: there.alerted(tier, _now(), due, alerts)


def _if_still(record: EscalationRecord, event: Event) -> Event:
    """The event, unless anything else has happened since."""

    def guarded(there: EscalationRecord) -> EscalationRecord:
        return event(there) if there.version == record.version else there

    return guarded


def _id(record: EscalationRecord) -> str:
    return record.escalation.escalation_id


def _now() -> datetime:
    return datetime.now(UTC)


def _in(seconds: float) -> datetime:
    return _now() + timedelta(seconds=seconds)
