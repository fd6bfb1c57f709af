"""Sends the escalations of one call. At most one is open; the model is told that it was sent only once it is stored."""

import json
from datetime import datetime
from typing import Final

from shared.agents.tool_names import ESCALATE_TO_HUMAN
from shared.calls.transcript import TranscriptEntry
from shared.escalations.callback_numbers import CallbackRules
from shared.escalations.record import HANDLED
from shared.escalations.request import Escalation, escalation_id_for
from worker.conversation import prompts
from worker.conversation.effects import EffectQueue, SendEscalation, Timer
from worker.conversation.resumption import ResumedCall
from worker.conversation.stated_number import StatedNumber
from worker.conversation.transcript import SENT
from worker.tools import CallContext
from worker.tools.builtin import EscalateArguments

ENTRIES_SENT: Final = 20  # of the transcript; enough to understand the request, far below a message's 256 KiB

_TRY_AGAIN_MS: Final = 15_000
_RETRY: Final = "retry_"


class EscalationRequests:
    """Creates the messages. While an escalation is open, another request by the model is a higher revision of it.

    Once it is handled, the next request is a new escalation with the call's next number. `open` is the id of the
    escalation that is stored and not yet handled. `unsent` is the one that the queue did not accept.
    """

    def __init__(
        self, effects: EffectQueue, context: CallContext, resumed: ResumedCall | None, callbacks: CallbackRules
    ) -> None:
        self.open: str | None = None
        self.unsent: Escalation | None = None
        self.asked_at: datetime | None = None
        self.escalated = False
        self._number = 1
        self._revisions = 0
        self._retries = 0
        self._effects = effects
        self._context = context
        self._sending: dict[str, Escalation] = {}
        self._refusals: dict[str, str] = {}  # by function call id: why its callback number was left out
        self._stated = StatedNumber(callbacks, context)
        self.can_be_called = self._stated.own_is_called
        if resumed:
            self._resume(resumed)

    def _resume(self, resumed: ResumedCall) -> None:
        self._number = max(1, len(resumed.records), resumed.escalations_sent)
        self._revisions = resumed.calls_of(ESCALATE_TO_HUMAN)
        record = resumed.records[self._number - 1] if len(resumed.records) == self._number else None
        if record:
            self.asked_at = record.escalation.created_at
            self._stated.take(record.escalation.callback_number)
            self.can_be_called = self.can_be_called or self._stated.number is not None
            self._revisions = max(self._revisions, record.escalation.revision)
        if record or resumed.escalations_sent:
            self.open, self.escalated = self.current_id, True
        if record and record.status in HANDLED:
            self.over()

    @property
    def current_id(self) -> str:
        """The id of the next message to send."""
        return escalation_id_for(self._context.call_sid, self._number)

    @property
    def sending(self) -> bool:
        """Whether a request is on its way to the queue."""
        return bool(self._sending)

    def request(
        self, call_id: str, arguments: EscalateArguments, transcript: list[TranscriptEntry], at: datetime
    ) -> None:
        """Sends an escalation; the result comes to `sent` or `not_sent` with the same `call_id`."""
        self._revisions += 1
        if refusal := self._stated.take(arguments.callback_number):
            self._refusals[call_id] = prompts.callback_number_not_kept(refusal)
        escalation = Escalation(
            escalation_id=self.current_id,
            call_sid=self._context.call_sid,
            caller=self._context.caller,
            called=self._context.called,
            reason=arguments.reason,
            summary=arguments.summary,
            urgency=arguments.urgency,
            transcript=transcript,
            language=self._context.language,
            created_at=at,
            callback_number=self._stated.number,
            revision=self._revisions,
        )
        self.unsent = None  # the new message replaces it
        self._effects.cancel(Timer.ESCALATION)
        self._send(call_id, escalation)

    def try_again(self) -> None:
        """Sends `unsent` again; `sent` or `not_sent` gets the result, with an id that belongs to no function call."""
        if self.unsent:
            self._retries += 1
            self._send(f"{_RETRY}{self._retries}", self.unsent)

    def is_retry(self, call_id: str) -> bool:
        return call_id.startswith(_RETRY)

    def _send(self, call_id: str, escalation: Escalation) -> None:
        self._sending[call_id] = escalation
        self._effects.put(SendEscalation(call_id, escalation))

    def sent(self, call_id: str) -> str | None:
        """The queue has the message: returns the output for the model, or None if there is nothing to answer."""
        escalation = self._sending.pop(call_id, None)
        if escalation is None:
            return None
        if escalation.escalation_id != self.current_id:
            # The escalation was handled meanwhile, so nobody would read this revision: send it as a new escalation.
            self._send(call_id, self._newer_as_new(escalation))
            return None
        if self.unsent is escalation:
            self.unsent = None
        if escalation.callback_number:
            self.can_be_called = True
        status = "updated" if self.open else SENT
        if self.open is None:
            self.open, self.asked_at, self.escalated = escalation.escalation_id, escalation.created_at, True
        return json.dumps({"status": status, "note": self._with_refusal(call_id, prompts.ESCALATION_SENT)})

    def not_sent(self, call_id: str) -> str | None:
        """The queue did not accept the message: returns the output for the model, or None for an unknown `call_id`."""
        escalation = self._sending.pop(call_id, None)
        if escalation is None:
            return None
        self.unsent = escalation if escalation.escalation_id == self.current_id else self._as_new(escalation)
        self._effects.set(Timer.ESCALATION, _TRY_AGAIN_MS)
        note = prompts.ESCALATION_UPDATE_NOT_SENT if self.open else prompts.ESCALATION_NOT_SENT
        return json.dumps({"error": self._with_refusal(call_id, note)})

    def over(self) -> None:
        """The open escalation has been handled; the next request is a new one."""
        self.open = self.asked_at = None
        self._number += 1
        self._revisions = 0
        self._stated.number = None
        self.can_be_called = self._stated.own_is_called
        if self.unsent:
            self.unsent = self._as_new(self.unsent)

    def _with_refusal(self, call_id: str, note: str) -> str:
        refusal = self._refusals.pop(call_id, None)
        return f"{note} {refusal}" if refusal else note

    def _newer_as_new(self, escalation: Escalation) -> Escalation:
        """Returns the newer of this escalation and `unsent` as a new escalation, so that only one of them is sent."""
        if self.unsent is None:
            return self._as_new(escalation)
        self.unsent = self._as_new(max(escalation, self.unsent, key=lambda request: request.created_at))
        return self.unsent

    def _as_new(self, escalation: Escalation) -> Escalation:
        self._revisions += 1
        return escalation.model_copy(update={"escalation_id": self.current_id, "revision": self._revisions})
