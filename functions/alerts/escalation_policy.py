"""The escalation policy: alerts one tier after another until somebody accepts. If nobody does, it promises a callback.

The escalation's record says what is due. A process claims the next tier in the record before it alerts that tier.
Reminders from a queue say when to check the record. So a reminder that comes twice, late or too late changes nothing,
and each person gets each alert once.

The policy also finds what Twilio's status callbacks may have failed to report: a person who waited for the caller has
hung up, or a caller waits for a person who does not come.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from functions.alerts.alert import Alert
from functions.alerts.channels import channels, text_channels
from functions.alerts.fan_out import Delivery, alert_everybody
from functions.alerts.idempotency import SendOnce
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
from shared.on_call.settings import OnCallSettings
from shared.on_call.store import RosterStore
from shared.twilio.calls import is_over
from shared.twilio.rest import CallUnknown, Telephony

log = logger("alerts")

# A claim outlasts the invocation that made it (Timeout in template.yaml), so two never work on one tier at a time.
CLAIM_S = 30
# How soon Twilio is asked again about a call whose state it did not give.
STATUS_RETRY_S = 60
# Short, because the caller may be listening to hold music.
TABLE_RETRY_S = 10
# Every call is over by then, even if Twilio never reported its end.
LONGEST_CALL_S = 24 * 60 * 60
# A caller who was promised a callback expects it within half an hour.
OVERDUE_S = 30 * 60
PROMISE = "promise"


class NobodyAlerted(Exception):
    """No channel accepted the alert."""


@dataclass(frozen=True)
class EscalationPolicy:
    """Takes escalations and reminders, and does what is due."""

    settings: OnCallSettings
    escalations: EscalationStore
    reminders: ReminderQueue
    rosters: RosterStore
    telephony: Telephony
    send_once: SendOnce
    caller_return: CallerReturn

    def begin(self, escalation: Escalation) -> None:
        """Stores a new escalation or a later revision of one, and alerts the first tier unless that was done.

        Raises:
            NobodyAlerted: when there was somebody to alert and no alert was accepted. The escalation is stored.
            StoreUnavailable, ReminderNotSent: when it could not be stored. The next delivery alerts nobody twice.
        """
        record = self._store(escalation)
        if record.status is Status.QUEUED:
            record = self._alert_next_tier(record)
        # Also on a repeated delivery: the first one may have failed before it sent the reminder.
        self.reminders.remind(record)

    def _store(self, escalation: Escalation) -> EscalationRecord:
        """Stores a request. If it was made after its escalation was handled, it becomes the call's next escalation.

        That happens when the sender could not read the table and so used the id of the handled one.
        """
        record = self.escalations.upsert(escalation, _now())
        over = record.status in HANDLED and escalation.created_at > record.history[-1].at
        following = escalation.as_next() if over else None
        return self._store(following) if following else record

    def check(self, reminder: Reminder) -> None:
        """Checks an escalation: does what is due, and sends the reminder of the next check.

        Raises:
            ReminderNotSent: when there may be no next reminder. This one must be delivered again.
        """
        try:
            self._check(reminder)
        except StoreUnavailable:
            log.exception(
                "the table did not answer when an escalation was due", extra={"escalation_id": reminder.escalation_id}
            )
            metric("alerts", "EscalationsFailed")
            self.reminders.repeat(reminder, TABLE_RETRY_S)

    def _check(self, reminder: Reminder) -> None:
        record = self.escalations.get(reminder.escalation_id)
        if record is None or not record.needs_checks or (reminder.check < record.checks and not reminder.again):
            return
        if _is_due(record):
            try:
                record = self.escalations.change(_id(record), lambda there: there.check_begun(reminder.check))
            except OutOfOrder:  # another reminder was faster, or an earlier delivery of this one began the check
                if not reminder.again:
                    return
            record = self._do_what_is_due(record)
        self.reminders.remind(record)

    def _do_what_is_due(self, record: EscalationRecord) -> EscalationRecord:
        """Does what is due. A caller who may be alone in the conference comes first."""
        if record.caller_alone:
            record = self._return_caller(record)
        if record.status is Status.CALLBACK and not record.caller_alone:
            self._repeat_promise(record)
        elif record.due_at and record.due_at <= _now():
            record = self._advance(record)
        return record

    def _return_caller(self, record: EscalationRecord) -> EscalationRecord:
        """Returns a caller who is alone to the agent, unless that was done or the call is over."""
        if record.return_check_at is None or record.return_check_at > _now():
            return record
        too_old = _now() - record.escalation.created_at > timedelta(seconds=LONGEST_CALL_S)
        if too_old or self.caller_return.settled(record):
            return self._change(record, _if_same(record, lambda there: there.caller_settled()))
        due = _in(STATUS_RETRY_S if record.talking_on else WATCH_INTERVAL_S)
        return self._change(record, _if_same(record, lambda there: there.return_check_later(due)))

    def _advance(self, record: EscalationRecord) -> EscalationRecord:
        if record.status is Status.CONNECTED:
            return self._check_conversation(record)
        if record.status is Status.ACCEPTED:
            record = self._check_assignee(record)
        return self._alert_next_tier(record) if record.status in (Status.QUEUED, Status.ALERTED) else record

    def _check_assignee(self, record: EscalationRecord) -> EscalationRecord:
        """Checks a person who has accepted and is not connected to the caller yet."""
        if record.join_by and record.join_by > _now():
            if record.ready and self._has_hung_up(record):
                return self._change(record, _if_same(record, lambda there: there.unassigned(_now(), HUNG_UP)))
            due = min(record.join_by, _in(WATCH_INTERVAL_S))
            return self._change(record, _if_same(record, lambda there: there.rescheduled(due)))
        if self._are_together(record):
            due = _in(TALK_CHECK_INTERVAL_S)
            return self._change(record, _if_same(record, lambda there: there.connected(_now(), due)))
        late = "did not come in time"
        return self._change(record, _if_same(record, lambda there: there.unassigned(_now(), late)))

    def _alert_next_tier(self, record: EscalationRecord) -> EscalationRecord:
        """Once it is due, alerts the next tier in which it reaches somebody. If there is none, promises a callback."""
        if record.due_at is None or record.due_at > _now():
            return record
        roster, tried = self.rosters.roster(self.settings), 0
        try:
            record = self.escalations.change(_id(record), lambda there: there.claimed(_now(), _in(CLAIM_S)))
        except Refused:  # another process has claimed it, or a person has accepted
            return self.escalations.get(_id(record)) or record
        for tier in range(record.tier + 1, len(roster.tiers) + 1):
            people = roster.on_duty(tier, record.escalation.language, _now())
            tried += len(people)
            if reached := self._alert(record, people, tier, roster):
                can_take_it = tuple(alert for alert in reached if roster.people[alert.person].phone)
                event = _alerted(tier, _in(roster.tiers[tier - 1].accept_within_s), can_take_it)
                return self._change(record, event)
        if tried and record.tier == 0:
            # So that the next delivery need not wait until the claim expires.
            self._change(record, _if_same(record, lambda there: there.rescheduled(_now())))
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
        """Tells everybody on duty, once each, that the caller was promised a callback."""
        rules = self.settings.callback_rules(roster)
        deliveries = [
            Delivery(
                person.id, channel, Alert.of_promise(record.escalation, self._link(record, person), rules), PROMISE
            )
            for person in roster.everybody(_now())
            for channel in text_channels(person, self.telephony, self.settings)
        ]
        alert_everybody(deliveries, self.send_once)

    def _repeat_promise(self, record: EscalationRecord) -> None:
        """Tells people who came on duty since. Counts the callback as overdue once the caller has waited too long."""
        self._promise(record, self.rosters.roster(self.settings))
        listed = record.since(Status.CALLBACK)
        if listed and _now() - listed > timedelta(seconds=OVERDUE_S):
            metric("alerts", "CallbacksOverdue")
            log.warning("a callback is overdue", extra={"escalation_id": _id(record)})

    def _has_hung_up(self, record: EscalationRecord) -> bool:
        """Whether the call to the person who waits is over, although its status callback got lost."""
        try:
            return record.leg is None or is_over(self.telephony.status_of(record.leg))
        except CallUnknown as failure:
            log.warning("the status of a person's call is not known: %s", failure, extra={"escalation_id": _id(record)})
            return False

    def _are_together(self, record: EscalationRecord) -> bool:
        """Whether person and caller are connected, although the status callback of it got lost."""
        if not (record.leg and record.caller_joined):
            return False
        try:
            # A waiting person joins the caller within seconds. If both calls still run, both are in the conference.
            return not any(is_over(self.telephony.status_of(sid)) for sid in (record.leg, record.escalation.call_sid))
        except CallUnknown as failure:
            log.warning("the status of a take-over is not known: %s", failure, extra={"escalation_id": _id(record)})
            return False

    def _check_conversation(self, record: EscalationRecord) -> EscalationRecord:
        """Records the end of a conversation if Twilio's status callback of it got lost."""
        try:
            over = record.leg is None or is_over(self.telephony.status_of(record.leg))
        except CallUnknown as failure:
            log.warning("the status of a conversation is not known: %s", failure, extra={"escalation_id": _id(record)})
            return self._change(record, _if_same(record, lambda there: there.rescheduled(_in(STATUS_RETRY_S))))
        if not over:
            return self._change(record, _if_same(record, lambda there: there.rescheduled(_in(TALK_CHECK_INTERVAL_S))))
        seconds = int((_now() - (record.since(Status.CONNECTED) or _now())).total_seconds())
        return self._change(record, lambda there: there.call_ended(_now(), seconds))

    def _change(self, record: EscalationRecord, event: Event) -> EscalationRecord:
        """The record after the event, or as another process has changed it meanwhile if the event is refused."""
        try:
            return self.escalations.change(_id(record), event)
        except Refused:
            return self.escalations.get(_id(record)) or record

    def _link(self, record: EscalationRecord, person: Person) -> str:
        token = link.sign(self.settings.signing_key, _id(record), person.id)
        return f"{self.settings.public_url}/desk/{token}"


def _is_due(record: EscalationRecord) -> bool:
    """Whether it is time for the next check. On the callback list it always is."""
    return record.next_check_at is None or record.next_check_at <= _now()


def _alerted(tier: int, due: datetime, alerts: tuple[SentAlert, ...]) -> Event:
    return lambda there: there.alerted(tier, _now(), due, alerts)


def _if_same(record: EscalationRecord, event: Event) -> Event:
    """The event, which does nothing if the record has changed since."""

    def guarded(there: EscalationRecord) -> EscalationRecord:
        return event(there) if there.version == record.version else there

    return guarded


def _id(record: EscalationRecord) -> str:
    return record.escalation.escalation_id


def _now() -> datetime:
    return datetime.now(UTC)


def _in(seconds: float) -> datetime:
    return _now() + timedelta(seconds=seconds)
