"""A person's phone leg: answers Twilio's requests from the moment they pick up until the leg ends.

Each request may come twice, late or out of order, so the answer depends only on the escalation's current record. A call
is accepted only by pressing a key, so voicemail never accepts one.
"""

from datetime import UTC, datetime, timedelta
from typing import Literal
from urllib.parse import urlencode

from functions.desk.actions import accepted_at
from functions.desk.caller import has_hung_up, to_call
from functions.desk.context import CallUpdate, Visit
from functions.desk.formatting import URGENCIES, reason_in_words, spoken_caller, spoken_number
from functions.desk.phone import twiml
from functions.desk.phone.conference_events import connected, talked
from shared.escalations.record import HUNG_UP, JOINS_WITHIN_S, EscalationRecord, Refused, SentAlert, Status
from shared.text.plain import shortened
from shared.text.quoted import said
from shared.twilio.calls import is_over
from shared.twilio.webhook import Webhook

Purpose = Literal["offer", "join"]

# The person waits in turns (requests to `/wait`) of two to three seconds each, so for about 45 s in all.
LAST_TURN = 18
# The caller normally joins within two turns. From the third turn on, Twilio is asked whether the caller is still there.
FIRST_CHECK_TURN = 2
TURNS_BETWEEN_CHECKS = 4
# The person hears silence meanwhile.
STATUS_WITHIN_S = 2.0
SUMMARY_LENGTH = 700

NO_ANSWER = "nobody picked up and pressed 1"
# Why a person was not reached by phone, by the final status of the call to them.
NOT_REACHED_BECAUSE = {
    "completed": "no key was pressed",
    "no-answer": "nobody picked up",
    "busy": "the line was busy, or the call was declined",
}
NO_CONNECTION = "there was no connection"
CALLER_DID_NOT_COME = "the caller did not come in time"
NOT_REACHED = "the caller could not be reached"
NO_NUMBER = "the caller has hung up and left no number"


def offer(visit: Visit, purpose: Purpose) -> str:
    """What a person hears when they pick up: who calls, why, and which keys to press."""
    if refusal := _why_not(visit):
        return twiml.say_and_hang_up(f"{refusal} Thank you. Goodbye.")
    gone = visit.desk.caller_is_gone(visit.record)
    keys = {
        "offer": "Press 1 to take it. Press 2 to pass it on.",
        "join": f"Press 1 to {'call them back' if gone else 'be connected'}. Press 2 to pass it on.",
    }
    action = visit.url(f"/pressed?purpose={purpose}")
    return twiml.ask(_announcement(visit, purpose, gone=gone), keys[purpose], action)


def pressed(visit: Visit, webhook: Webhook, purpose: Purpose) -> str:
    """Handles a key: 1 accepts the escalation on this leg, 2 declines it."""
    person, digit = visit.person, webhook.fields.get("Digits", "")
    if digit not in ("1", "2"):
        return twiml.say_and_go_on("Sorry?", visit.url(f"/{'offer' if purpose == 'offer' else 'join'}"))
    gone = digit == "1" and visit.desk.caller_is_gone(visit.record)

    def take(record: EscalationRecord) -> EscalationRecord:
        now = datetime.now(UTC)
        due = now + timedelta(seconds=JOINS_WITHIN_S)
        taken = record.accepted(person.id, now, due, name=person.name, callback=gone)
        return taken.ready_on(webhook.call_sid, person.id, now, due)

    def decline(record: EscalationRecord) -> EscalationRecord:
        return record.declined(person.id, datetime.now(UTC), webhook.call_sid, person.name)

    try:
        visit.change(take if digit == "1" else decline)
    except Refused as why:
        return twiml.say_and_hang_up(f"{why} Thank you. Goodbye.")
    if digit == "2":
        return twiml.say_and_hang_up("It has been passed on. Thank you. Goodbye.")
    return twiml.say_and_go_on("Thank you.", visit.url("/wait?turn=0"))


def wait(visit: Visit, webhook: Webhook, turn: int) -> str:
    """Answers a person who has pressed 1: asks them to wait another turn, or connects them to the caller."""
    record, desk = visit.record, visit.desk
    if record.assignee != visit.person.id or record.leg != webhook.call_sid:
        return twiml.say_and_hang_up(f"{_why_not(visit) or 'This call is not yours any more.'} Thank you. Goodbye.")
    if record.calling_back or desk.caller_is_gone(record):
        return _call_back(visit)
    if record.caller_joined or (record.return_check_at and desk.caller_is_on_the_way(record)):
        return _join(visit)
    if turn >= LAST_TURN:
        visit.change(lambda now: _unassigned(now, visit, webhook, CALLER_DID_NOT_COME))
        return twiml.say_and_hang_up("I'm sorry, the caller did not come. Others are being asked. Goodbye.")
    if turn >= FIRST_CHECK_TURN and (turn - FIRST_CHECK_TURN) % TURNS_BETWEEN_CHECKS == 0:
        if has_hung_up(desk, record, STATUS_WITHIN_S):
            return _call_back(visit)
        if desk.caller_is_on_the_way(record):  # they have joined, but Twilio's event got lost
            return _join(visit)
    return twiml.say_and_go_on("One moment, please.", visit.url(f"/wait?turn={turn + 1}"), pause_s=1)


def left(update: CallUpdate, webhook: Webhook) -> str:
    """Answers a person who has left the conference: a goodbye, or back to waiting if they were never connected."""
    update = update.change(lambda record: talked(record, webhook.call_sid))
    if webhook.caller_is_gone:
        return twiml.nothing()
    if update.record.assignee == update.person_id:
        return twiml.say_and_go_on("", update.url(f"/wait?turn={FIRST_CHECK_TURN}"))
    return twiml.say_and_hang_up("The caller has left. Thank you. Goodbye.")


def answered(update: CallUpdate, webhook: Webhook) -> None:
    """Records that a caller who is called back has picked up."""
    update.change(lambda record: connected(record, webhook.fields.get("ParentCallSid", "")))


def called_back(update: CallUpdate, webhook: Webhook) -> str:
    """Answers the person after a callback, and records whether the caller was reached."""
    leg = webhook.call_sid
    if webhook.fields.get("DialCallStatus") in ("completed", "answered"):
        update.change(lambda record: talked(connected(record, leg), leg))
        words = "The caller has left. Thank you. Goodbye."
    else:
        update.change(lambda record: _not_reached(record, leg, NOT_REACHED))
        words = "The caller could not be reached. They are on the callback list. Goodbye."
    return twiml.nothing() if webhook.caller_is_gone else twiml.say_and_hang_up(words)


def ended(update: CallUpdate, webhook: Webhook, taken: str) -> None:
    """Records that the person's leg is over, however it ended.

    Args:
        taken: the acceptance for which the call was placed, as `accepted_at` gives it; empty for an offer.
    """
    if not is_over(webhook.call_status):
        return
    person, leg, now = update.person_id, webhook.call_sid, datetime.now(UTC)
    name, why = update.desk.name_of(person), NOT_REACHED_BECAUSE.get(webhook.call_status, NO_CONNECTION)

    def over(record: EscalationRecord) -> EscalationRecord:
        if record.assignee and record.leg == leg:
            record = talked(_unassigned(record, update, webhook, HUNG_UP), leg)
        elif record.assignee == person and record.leg is None and taken == accepted_at(record):
            record = record.unassigned(now, NO_ANSWER, person)
        # An offer ends with its call: even if the person heard it, they cannot accept by it any more.
        return record if taken else record.alert_failed(SentAlert(person, "phone", leg), now, why, name)

    update.change(over)


def _why_not(visit: Visit) -> str | None:
    """A sentence that says why the person cannot accept; None if they can."""
    record = visit.record
    if record.status is Status.RESOLVED:
        return f"{record.person_name or 'Somebody'} has dealt with it already."
    if record.assignee not in (None, visit.person.id):
        return f"{record.person_name or 'Somebody else'} has taken it."
    return None


def _announcement(visit: Visit, purpose: Purpose, *, gone: bool) -> str:
    escalation = visit.record.escalation
    words = [
        f"This is Bellhop. {URGENCIES[escalation.urgency]}.",
        spoken_caller(to_call(visit), gone=gone),
    ]
    warm = visit.roster.handover == "warm"
    if purpose == "offer" or warm:
        words.append(f"The caller says: {reason_in_words(escalation.reason)}.")
    if warm:
        words.append(shortened(said(escalation.summary), SUMMARY_LENGTH))
    return " ".join(words)


def _join(visit: Visit) -> str:
    return twiml.join_conference(
        visit.escalation_id,
        action=visit.url("/left"),
        status_callback=visit.desk.url("conference", "?" + urlencode({"escalation": visit.escalation_id})),
    )


def _call_back(visit: Visit) -> str:
    whom = to_call(visit)
    if whom.number is None:
        visit.change(lambda record: _not_reached(record, record.leg or "", NO_NUMBER))
        return twiml.say_and_hang_up("The caller has hung up, and left no number to call. Goodbye.")
    opening = "Calling the caller back" if visit.record.calling_back else "The caller has hung up. Calling them back"
    return twiml.call_caller(
        f"{opening} at {spoken_number(whom)}.",
        whom.number,
        caller_id=visit.desk.settings.caller_id_for(visit.record.escalation.called),
        action=visit.url("/called-back"),
        answered=visit.url("/answered"),
    )


def _unassigned(record: EscalationRecord, update: CallUpdate, webhook: Webhook, why: str) -> EscalationRecord:
    mine = record.status is Status.ACCEPTED and record.leg == webhook.call_sid
    return record.unassigned(datetime.now(UTC), why, update.person_id) if mine else record


def _not_reached(record: EscalationRecord, leg: str, why: str) -> EscalationRecord:
    return record.callback(datetime.now(UTC), why) if record.assignee and record.leg == leg else record
