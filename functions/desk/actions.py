"""What a person does by a tap: take the call or call back, decline, resolve.

Each is one event of the escalation's record, applied only if the form's version is the current one.
"""

from datetime import UTC, datetime, timedelta

from functions.desk.context import Visit
from functions.desk.form_tokens import check_form
from shared.escalations.record import JOINS_WITHIN_S, EscalationRecord, Event, Status
from shared.logs import logger, metric
from shared.text.plain import plain

log = logger("desk")

# Long enough to find the phone, and short enough that voicemail rarely answers.
RINGS_S = 25
NOT_RUNG = "the phone could not be made to ring"
NOTE_LENGTH = 1000


class NoPhone(Exception):
    """The person has no phone number on the roster, so nothing can ring."""


def take(visit: Visit, form: str, *, callback: bool = False) -> Visit:
    """The person accepts and their phone rings; with `callback`, to call a caller who has hung up.

    Raises:
        StaleForm, Refused: when the escalation has changed since, so nothing was done.
        NoPhone: when the roster has no phone number for the person.
    """
    person = visit.person
    if not person.phone:
        raise NoPhone(f"{person.id} has no phone number on the roster")

    # A caller who is still on the line is not called, since their phone would be busy: they come to the conference.
    callback = callback and visit.desk.caller_is_gone(visit.record)

    def accept(record: EscalationRecord) -> EscalationRecord:
        now = datetime.now(UTC)
        due = now + timedelta(seconds=JOINS_WITHIN_S)
        return record.accepted(person.id, now, due, name=person.name, callback=callback)

    return _ring(visit.change(_with(visit, form, accept)))


def decline(visit: Visit, form: str) -> Visit:
    """The person leaves the call to others; raises StaleForm and Refused."""
    person = visit.person
    return visit.change(
        _with(visit, form, lambda record: record.declined(person.id, datetime.now(UTC), name=person.name))
    )


def resolve(visit: Visit, form: str, note: str) -> Visit:
    """The person has dealt with the request; raises StaleForm and Refused."""
    person = visit.person
    words = plain(note).strip()[:NOTE_LENGTH]
    return visit.change(
        _with(visit, form, lambda record: record.resolved(person.id, datetime.now(UTC), words, name=person.name))
    )


def accepted_at(record: EscalationRecord) -> str:
    """When the escalation was last accepted, as text; tells one acceptance from another. Empty if never."""
    at = record.since(Status.ACCEPTED)
    return f"{at.timestamp():.6f}" if at else ""


def _with(visit: Visit, form: str, event: Event) -> Event:
    def checked(record: EscalationRecord) -> EscalationRecord:
        check_form(visit.desk.settings.signing_key, form, record, visit.person.id)
        return event(record)

    return checked


def _ring(visit: Visit) -> Visit:
    """Rings the person's phone. If the call cannot be placed, the escalation is unassigned, with that as its reason."""
    from shared.twilio.rest import CallNotPlaced

    desk, person, where = visit.desk, visit.person, {"escalation_id": visit.escalation_id, "person": visit.person.id}
    try:
        sid = desk.telephony.call(
            to=person.phone or "",
            from_=desk.settings.caller_id_for(visit.record.escalation.called),
            url=visit.url("/join"),
            status_callback=visit.url(f"/leg-ended?taken={accepted_at(visit.record)}"),
            timeout_s=RINGS_S,
        )
    except CallNotPlaced:
        log.exception("a person's phone could not be rung", extra=where)
        metric("desk", "CallsNotPlaced")
        return visit.change(lambda record: record.unassigned(datetime.now(UTC), NOT_RUNG, person.id))
    log.info("a person's phone rings", extra={**where, "leg": sid})
    return visit
