"""What Twilio tells about the conference of an escalation: who has come, and who has left.

Twilio sends this beside the calls themselves, in its own time. So whoever comes and finds that the other is not to be
expected any more is sent elsewhere from here, and nobody stays alone with the music.
"""

from datetime import UTC, datetime, timedelta

from functions.desk.caller import has_hung_up
from functions.desk.context import Desk
from shared.escalations.record import TALK_CHECKED_EVERY_S, Life, Status
from shared.escalations.store import NoSuchEscalation
from shared.logs import logger, metric
from shared.on_call.link import mint
from shared.twilio.webhook import Webhook


def connected(life: Life, leg: str) -> Life:
    """They are together, the person on this leg."""
    if life.status is not Status.ACCEPTED or life.leg != leg:
        return life
    now = datetime.now(UTC)
    return life.connected(now, now + timedelta(seconds=TALK_CHECKED_EVERY_S))


def talked(life: Life, leg: str) -> Life:
    """One of them has hung up."""
    if life.status is not Status.CONNECTED or life.leg != leg:
        return life
    now = datetime.now(UTC)
    return life.talked(now, int((now - (life.since(Status.CONNECTED) or now)).total_seconds()))


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
    life = desk.escalations.get(escalation_id)
    if life is None:
        raise NoSuchEscalation(f"there is no escalation {escalation_id}")
    if what == JOINED and leg == life.escalation.call_sid:
        _caller_came(desk, life)
    elif what == JOINED and leg == life.leg:
        _person_came(desk, life)
    elif what == LEFT and leg == life.leg:
        desk.escalations.change(escalation_id, lambda now: talked(now, leg))


def _caller_came(desk: Desk, life: Life) -> None:
    where = life.escalation.escalation_id
    after = desk.escalations.change(where, lambda now: now.caller_joined_conference(datetime.now(UTC)))
    if life.caller_alone and after.caller_alone:
        # The person has left before the caller came: what was tried then was too early.
        desk.caller_return.settled(after)


def _person_came(desk: Desk, life: Life) -> None:
    if desk.caller_is_gone(life) or has_hung_up(desk, life):
        _send_back_to_waiting(desk, life)
        return
    leg = life.leg or ""
    desk.escalations.change(life.escalation.escalation_id, lambda now: connected(now, leg))


def _send_back_to_waiting(desk: Desk, life: Life) -> None:
    from shared.twilio.rest import CallIsOver, CallNotRedirected

    if life.leg is None or life.person is None:
        return
    token = mint(desk.settings.signing_key, life.escalation.escalation_id, life.person)
    try:
        desk.telephony.redirect(life.leg, desk.url(token, "/wait?turn=0"))
    except CallIsOver:
        log.info("a person left a conference at once", extra={"leg": life.leg})
    except CallNotRedirected:
        # They hear music, and will hang up; the escalation is free again when they do.
        log.warning("a person was left alone in a conference", extra={"leg": life.leg})
        metric("desk", "CallsNotRedirected")
        raise
