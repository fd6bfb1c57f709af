"""Sends a caller back to the agent when the person who waited for them has left after a transfer.

A part that changes an escalation's record so that no person comes to the caller any more tries this at once (`after`).
That may fail, or the function may end first, so the escalation policy checks again every 10 s (`settled`) until the
caller is known to be elsewhere.

The call's recorded end decides. It is the transfer for this escalation exactly while the caller is on the way to the
conference or in it: the voice function removes it when it connects the caller to the agent again. It is read right
before Twilio is asked to redirect the call, so that a caller who talks to the agent is not interrupted.
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

# The voice function's route that connects a transferred caller to the agent again.
TRANSFER_ENDED = "/transfer-ended"


def is_transferred(calls: CallStore, record: EscalationRecord) -> bool:
    """Whether the agent has transferred the caller for this escalation, and the caller is not back with the agent."""
    recorded = calls.recorded_end(record.escalation.call_sid)
    if recorded is None or recorded.ended is not CallEnd.TRANSFERRED:
        return False
    return recorded.details.get("escalation_id") == record.escalation.escalation_id


class CallerReturn:
    """Sends callers back to the agent. Blocking; may be used from many threads.

    Args:
        service: the part that uses it, for its log and metrics.
        public_url: where Twilio reaches the voice function.
        calls: the recorded ends of calls.
        telephony: returns Twilio's REST API when first needed, since that takes a while to import.
    """

    def __init__(self, service: str, public_url: str, calls: CallStore, telephony: "Callable[[], Telephony]") -> None:
        self._log = logger(service)
        self._service, self._public_url, self._calls, self._telephony = service, public_url, calls, telephony

    def after(self, before: EscalationRecord | None, after: EscalationRecord) -> None:
        """Tries to send the caller back if, after this change, no person comes to them. Raises nothing."""
        if after.caller_alone and not (before and before.caller_alone) and after.talking_on is None:
            self.settled(after)

    def settled(self, record: EscalationRecord) -> bool:
        """Whether the caller of this record need not be sent back any more; if they must be, tries it.

        False also when Twilio has just accepted the redirect: only the recorded end shows that the caller arrived.
        """
        try:
            return not is_transferred(self._calls, record) or not (
                self._still_talking(record) or self._sent_back(record)
            )
        except StoreUnavailable:
            self._log.exception("cannot read whether a caller must go back to the agent", extra=_where(record))
            return False

    def _still_talking(self, record: EscalationRecord) -> bool:
        """Whether the person connected to the caller may still talk to them; a conversation is never cut off."""
        from shared.twilio.rest import CallUnknown

        if record.talking_on is None:
            return False
        try:
            return not is_over(self._telephony().status_of(record.talking_on))
        except CallUnknown as failure:
            self._log.warning("could not check a conversation: %s", failure, extra=_where(record))
            return True

    def _sent_back(self, record: EscalationRecord) -> bool:
        """Redirects the call to the voice function; False if the call is over, which is then recorded."""
        from shared.twilio.rest import CallIsOver, CallNotRedirected

        sid = record.escalation.call_sid
        try:
            self._telephony().redirect(sid, f"{self._public_url}{TRANSFER_ENDED}")
        except CallIsOver:
            self._calls.caller_has_gone(sid)
            return False
        except CallNotRedirected:
            self._log.exception("could not send a caller back to the agent", extra=_where(record))
            metric(self._service, "CallsNotRedirected")
        else:
            self._log.info("sending a caller back to the agent", extra=_where(record))
        return True


def _where(record: EscalationRecord) -> dict[str, str]:
    return {"escalation_id": record.escalation.escalation_id, "call_sid": record.escalation.call_sid}
