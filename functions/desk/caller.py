"""The caller: whether they are there, and by which number they are called back."""

from concurrent.futures import ThreadPoolExecutor

from functions.desk.visit import Desk
from shared.call_status import is_over
from shared.escalation import Escalation
from shared.escalation_life import Life
from shared.logs import logger, metric
from shared.phone_numbers import is_e164

log = logger("desk")


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
