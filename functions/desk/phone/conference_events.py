"""What Twilio tells about the conference of an escalation: who has come, and who has left.

Twilio sends this beside the calls themselves, in its own time. So whoever comes and finds that the other is not to be
expected any more is sent elsewhere from here, and nobody stays alone with the music.
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
    """They are together, the person on this leg."""
    if record.status is not Status.ACCEPTED or record.leg != leg:
        return record
    now = datetime.now(UTC)
    return record.connected(now, now + timedelta(seconds=TALK_CHECK_INTERVAL_S))


def talked(record: EscalationRecord, leg: str) -> EscalationRecord:
    """One of them has hung up."""
    if record.status is not Status.CONNECTED or record.leg != leg:
        return record
    now = datetime.now(UTC)
    return record.call_ended(now, int((now - (record.since(Status.CONNECTED) or now)).total_seconds()))


log = logger("desk")

JOINED, LEFT = "participant-join", "participant-leave"


def happened(desk: Desk, escalation_id: str, webhook: Webhook) -> None:
    """Takes in one event of the conference.

    Raises:
        NoSuchEscalation: when it is about none.
        StoreUnavailable, CallNotRedirected: when nothing came of it.
    """
    what, leg = webhook.fields.get("StatusCallbackEvent", ""), webhook.call_sid
    log.info("in the conference", extra={"escalation_id": escalation_id, "call_sid": leg, "event": what})
    record = desk.escalations.get(escalation_id)
    if record is None:
        raise NoSuchEscalation(f"there is no escalation {escalation_id}")
    if what == JOINED and leg == record.escalation.call_sid:
        _caller_came(desk, record)
    elif what == JOINED and leg == record.leg:
        _person_came(desk, record)
    elif what == LEFT and leg == record.leg:
        desk.escalations.change(escalation_id, lambda now: talked(now, leg))


def _caller_came(desk: Desk, record: EscalationRecord) -> None:
    where = record.escalation.escalation_id
    after = desk.escalations.change(where, lambda now: now.caller_joined_conference(datetime.now(UTC)))
    if record.caller_alone and after.caller_alone:
        # The person has left before the caller came: what was tried then was too early.
        desk.caller_return.settled(after)


def _person_came(desk: Desk, record: EscalationRecord) -> None:
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
        # They hear music, and will hang up; the escalation is free again when they do.
        log.warning("a person was left alone in a conference", extra={"leg": record.leg})
        metric("desk", "CallsNotRedirected")
        raise
