"""The caller: whether they are there, by which number they are called back, and how they come back to the agent."""

from concurrent.futures import ThreadPoolExecutor

from functions.desk.visit import Desk
from shared.call_status import is_over
from shared.escalation import Escalation
from shared.escalation_life import Life
from shared.logs import logger, metric
from shared.phone_numbers import is_e164

log = logger("desk")

# Worth a second try: without it the caller goes on listening to music.
ATTEMPTS = 2


def number_of(escalation: Escalation) -> str | None:
    """The number to call back: the one that the caller asked for, or called from; None when there is neither."""
    for number in (escalation.callback_number, escalation.caller):
        if number and is_e164(number):
            return number
    return None


def has_hung_up(desk: Desk, life: Life, within_s: float | None = None) -> bool:
    """Whether Twilio says that the caller's call is over, which is then on record. It may not say, or too late."""
    from shared.telephony import CallUnknown

    sid = life.escalation.call_sid
    threads = ThreadPoolExecutor(1)
    try:
        over = is_over(threads.submit(desk.telephony.status_of, sid).result(within_s))
    except (CallUnknown, TimeoutError):
        log.exception("Twilio does not say whether a caller is there", extra={"call_sid": sid})
        metric("desk", "CallsUnknown")
        return False
    finally:
        threads.shutdown(wait=False)
    if over:
        desk.calls.caller_has_gone(sid)
    return over


def return_caller(desk: Desk, life: Life) -> None:
    """Sends a caller who waits for a person back to the agent, when the person does not come after all."""
    from shared.telephony import CallNotRedirected

    if not desk.caller_is_on_the_way(life):
        return
    sid = life.escalation.call_sid
    for attempt in range(1, ATTEMPTS + 1):
        try:
            desk.telephony.redirect(sid, f"{desk.settings.public_url}/transfer-ended")
        except CallNotRedirected:
            # Often the caller has just hung up. One who has not is found where they are by the next person who comes.
            log.exception("a caller was not sent back to the agent", extra={"call_sid": sid, "attempt": attempt})
            metric("desk", "CallsNotRedirected")
        else:
            log.info("a caller goes back to the agent", extra={"call_sid": sid})
            return
