"""A caller who may be alone: after a transfer, when the person who waited for them has left.

Whoever changes an escalation's record so that nobody comes to its caller any more tries at once to send the caller back
to the agent (`after`). That may fail, or its function may end before it, so the ladder looks again every ten seconds
(`settled`) until the caller is known to be somewhere else.

What tells is the call's recorded end. It is the transfer to this escalation for exactly as long as the caller is on the
way to the conference or in it: the voice function takes it away when it connects the caller to the agent again. So it
is read right before Twilio is asked, and a caller who speaks with the agent is not interrupted.
"""

from typing import TYPE_CHECKING

from shared.calls.ending import CallEnd
from shared.calls.store import CallStore, StoreUnavailable
from shared.escalations.record import EscalationRecord
from shared.logs import logger, metric
from shared.twilio.calls import is_over

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.twilio.rest import Telephony

# Where the voice function gives a caller back to the agent.
TRANSFER_ENDED = "/transfer-ended"


def is_transferred(calls: CallStore, record: EscalationRecord) -> bool:
    """Whether the agent has let go of the caller for this escalation, and does not have them again."""
    recorded = calls.recorded_end(record.escalation.call_sid)
    if recorded is None or recorded.ended is not CallEnd.TRANSFERRED:
        return False
    return recorded.details.get("escalation_id") == record.escalation.escalation_id


class CallerReturn:
    """Brings callers back to the agent. Blocking; may be used from many threads.

    Args:
        service: the part that does it, for its log and metrics.
        telephony: gives Twilio's REST API, which takes a while to import, when it is needed.
    """

    def __init__(self, service: str, public_url: str, calls: CallStore, telephony: "Callable[[], Telephony]") -> None:
        self._log = logger(service)
        self._service, self._public_url, self._calls, self._telephony = service, public_url, calls, telephony

    def after(self, before: EscalationRecord | None, after: EscalationRecord) -> None:
        """Tries to bring the caller back, if by this change nobody comes to them any more. Raises nothing."""
        if after.caller_alone and not (before and before.caller_alone) and after.talking_on is None:
            self.settled(after)

    def settled(self, record: EscalationRecord) -> bool:
        """Whether nobody has to fetch the caller of this record any more. If somebody has to, it is tried.

        False also when Twilio has just done as asked: only the recorded end tells that the caller has arrived.
        """
        try:
            return not is_transferred(self._calls, record) or not (
                self._still_talking(record) or self._goes_back(record)
            )
        except StoreUnavailable:
            self._log.exception("it is not known where a caller is", extra=_where(record))
            return False

    def _still_talking(self, record: EscalationRecord) -> bool:
        """Whether the person who had the caller may be with them yet; nobody is cut off."""
        from shared.twilio.rest import CallUnknown

        if record.talking_on is None:
            return False
        try:
            return not is_over(self._telephony().status_of(record.talking_on))
        except CallUnknown as failure:
            self._log.warning("a conversation could not be looked at: %s", failure, extra=_where(record))
            return True

    def _goes_back(self, record: EscalationRecord) -> bool:
        """Has Twilio ask the voice function how the call goes on; False when it is over, which is then recorded."""
        from shared.twilio.rest import CallIsOver, CallNotRedirected

        sid = record.escalation.call_sid
        try:
            self._telephony().redirect(sid, f"{self._public_url}{TRANSFER_ENDED}")
        except CallIsOver:
            self._calls.caller_has_gone(sid)
            return False
        except CallNotRedirected:
            self._log.exception("a caller was not sent back to the agent", extra=_where(record))
            metric(self._service, "CallsNotRedirected")
        else:
            self._log.info("a caller is sent back to the agent", extra=_where(record))
        return True


def _where(record: EscalationRecord) -> dict[str, str]:
    return {"escalation_id": record.escalation.escalation_id, "call_sid": record.escalation.call_sid}
