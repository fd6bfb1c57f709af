"""The caller: whether they are still on the line, and at which number to call them back."""

from concurrent.futures import ThreadPoolExecutor

from functions.desk.context import Desk, Visit
from shared.escalations.callback_numbers import ToCall
from shared.escalations.record import EscalationRecord
from shared.logs import logger, metric
from shared.twilio.calls import is_over

log = logger("desk")


def to_call(visit: Visit, record: EscalationRecord | None = None) -> ToCall:
    """The number to call about the visit's escalation or another one. Both the page and the phone use this."""
    rules = visit.desk.settings.callback_rules(visit.roster)
    return rules.to_call((record or visit.record).escalation)


def has_hung_up(desk: Desk, record: EscalationRecord, within_s: float | None = None) -> bool:
    """Whether Twilio says that the caller's call is over; if so, that is recorded.

    False if Twilio does not say, or not within `within_s` seconds.
    """
    from shared.twilio.rest import CallUnknown

    sid = record.escalation.call_sid
    threads = ThreadPoolExecutor(1)
    try:
        over = is_over(threads.submit(desk.telephony.status_of, sid).result(within_s))
    except (CallUnknown, TimeoutError):
        log.exception("the status of a caller's call is not known", extra={"call_sid": sid})
        metric("desk", "CallStatusErrors")
        return False
    finally:
        threads.shutdown(wait=False)
    if over:
        desk.calls.caller_has_gone(sid)
    return over
