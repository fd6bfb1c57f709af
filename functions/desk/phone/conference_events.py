"""Twilio's events of an escalation's conference: who has joined, and who has left.

These events may come late compared with the requests of the calls themselves. So a person or caller who joins after the
other has left is redirected from here, and nobody stays alone with the hold music.
"""

from datetime import UTC, datetime, timedelta

from functions.desk.caller import has_hung_up
from functions.desk.context import Desk
from shared.escalations.record import TALK_CHECK_INTERVAL_S, EscalationRecord, Status
from shared.escalations.store import NoSuchEscalation
from shared.logs import logger, metric
from shared.on_call.link import sign
from shared.twilio.webhook import Webhook


def connected(record: EscalationRecord, leg: str) -> EscalationRecord:
    """The record after the person on this leg and the caller were connected; unchanged if it is not theirs."""
    if record.status is not Status.ACCEPTED or record.leg != leg:
        return record
    now = datetime.now(UTC)
    return record.connected(now, now + timedelta(seconds=TALK_CHECK_INTERVAL_S))


def talked(record: EscalationRecord, leg: str) -> EscalationRecord:
    """The record after one of the two has hung up; unchanged if they were not connected by this leg."""
    if record.status is not Status.CONNECTED or record.leg != leg:
        return record
    now = datetime.now(UTC)
    return record.call_ended(now, int((now - (record.since(Status.CONNECTED) or now)).total_seconds()))


log = logger("desk")

JOINED, LEFT = "participant-join", "participant-leave"


def handle_event(desk: Desk, escalation_id: str, webhook: Webhook) -> None:
    """Handles one event of the conference.

    Raises:
        NoSuchEscalation: when there is no such escalation.
        StoreUnavailable, CallNotRedirected: when the event could not be handled.
    """
    event, leg = webhook.fields.get("StatusCallbackEvent", ""), webhook.call_sid
    log.info("a conference event", extra={"escalation_id": escalation_id, "call_sid": leg, "event": event})
    record = desk.escalations.get(escalation_id)
    if record is None:
        raise NoSuchEscalation(f"there is no escalation {escalation_id}")
    if event == JOINED and leg == record.escalation.call_sid:
        _caller_joined(desk, record)
    elif event == JOINED and leg == record.leg:
        _person_joined(desk, record)
    elif event == LEFT and leg == record.leg:
        desk.escalations.change(escalation_id, lambda now: talked(now, leg))


def _caller_joined(desk: Desk, record: EscalationRecord) -> None:
    escalation_id = record.escalation.escalation_id
    after = desk.escalations.change(escalation_id, lambda now: now.caller_joined_conference(datetime.now(UTC)))
    if record.caller_alone and after.caller_alone:
        # The person left before the caller joined, so the first attempt to return the caller was too early.
        desk.caller_return.settled(after)


def _person_joined(desk: Desk, record: EscalationRecord) -> None:
    if desk.caller_is_gone(record) or has_hung_up(desk, record):
        _send_back_to_waiting(desk, record)
        return
    leg = record.leg or ""
    desk.escalations.change(record.escalation.escalation_id, lambda now: connected(now, leg))


def _send_back_to_waiting(desk: Desk, record: EscalationRecord) -> None:
    from shared.twilio.rest import CallIsOver, CallNotRedirected

    if record.leg is None or record.person is None:
        return
    token = sign(desk.settings.signing_key, record.escalation.escalation_id, record.person)
    try:
        desk.telephony.redirect(record.leg, desk.url(token, "/wait?turn=0"))
    except CallIsOver:
        log.info("a person left a conference at once", extra={"leg": record.leg})
    except CallNotRedirected:
        # They hear music until they hang up; then the escalation is unassigned.
        log.warning("a person was left alone in a conference", extra={"leg": record.leg})
        metric("desk", "CallsNotRedirected")
        raise
