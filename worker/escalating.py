"""The escalation of one call: at most one is open, and the model hears that it is on its way only once it is stored."""

import json
from datetime import datetime
from typing import Final

from shared.escalation import Escalation, Turn, escalation_id_for
from worker import prompts
from worker.builtin_tools import ESCALATE_TO_HUMAN, EscalateArguments
from worker.effects import SendEscalation, Timer
from worker.outbox import Outbox
from worker.tools import CallInfo
from worker.transcript import Past

TURNS_TOLD: Final = 20  # of the transcript; enough to understand the matter, far below a message's 256 KiB

_TRY_AGAIN_MS: Final = 15_000
_RETRY: Final = "retry_"


class Escalating:
    """Makes the messages. A further request by the model is a higher revision of the same escalation."""

    def __init__(self, outbox: Outbox, info: CallInfo, past: Past | None) -> None:
        self.open: Escalation | None = None
        self.unsent: Escalation | None = None
        self._retries = 0
        self._outbox = outbox
        self._info = info
        self._revisions = past.calls_of(ESCALATE_TO_HUMAN) if past else 0
        self._sending: dict[str, Escalation] = {}

    def request(self, call_id: str, asked: EscalateArguments, transcript: list[Turn], at: datetime) -> None:
        """Has the escalation sent; ends in `sent` or `not_sent` for the same `call_id`."""
        self._revisions += 1
        escalation = Escalation(
            escalation_id=escalation_id_for(self._info.call_sid),
            call_sid=self._info.call_sid,
            caller=self._info.caller,
            called=self._info.called,
            reason=asked.reason,
            summary=asked.summary,
            urgency=asked.urgency,
            transcript=transcript,
            language=self._info.language,
            created_at=at,
            callback_number=asked.callback_number,
            revision=self._revisions,
        )
        self.unsent = None  # this one says it all again
        self._outbox.cancel(Timer.ESCALATION)
        self._send(call_id, escalation)

    def try_again(self) -> None:
        """Sends what the queue did not take; ends in `sent` or `not_sent` for a call id that is no function call's."""
        if self.unsent:
            self._retries += 1
            self._send(f"{_RETRY}{self._retries}", self.unsent)

    def is_retry(self, call_id: str) -> bool:
        return call_id.startswith(_RETRY)

    def _send(self, call_id: str, escalation: Escalation) -> None:
        self._sending[call_id] = escalation
        self._outbox.put(SendEscalation(call_id, escalation))

    def sent(self, call_id: str) -> str | None:
        """The queue has it: gives the output for the model, or None if this was never asked for."""
        escalation = self._sending.pop(call_id, None)
        if escalation is None:
            return None
        if self.unsent is escalation:
            self.unsent = None
        status = "updated" if self.open else "sent"
        if self.open is None or escalation.revision > self.open.revision:
            self.open = escalation
        return json.dumps({"status": status, "note": prompts.ESCALATION_SENT})

    def not_sent(self, call_id: str) -> str | None:
        """The queue does not have it: gives the output for the model, or None if this was never asked for."""
        escalation = self._sending.pop(call_id, None)
        if escalation is None:
            return None
        self.unsent = escalation
        self._outbox.set(Timer.ESCALATION, _TRY_AGAIN_MS)
        note = prompts.ESCALATION_UPDATE_NOT_SENT if self.open else prompts.ESCALATION_NOT_SENT
        return json.dumps({"error": note})
