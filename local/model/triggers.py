"""The faults that hit a response after some of its audio: the injected ones, and the end of its token budget."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from local.model.faults import CloseSocket, CutShort, FailResponse, Faults, NeverFinish
from local.model.usage import OUTPUT_AUDIO_PER_S

ResponseFault = FailResponse | CutShort | NeverFinish | CloseSocket
KINDS: tuple[type[ResponseFault], ...] = (FailResponse, CutShort, NeverFinish, CloseSocket)


class Over(Exception):
    """Ends a response with a status, and with a reason or an error if the status has one."""

    def __init__(self, status: str, *, reason: str | None = None, error: dict[str, Any] | None = None) -> None:
        super().__init__(status)
        self.status, self.reason, self.error = status, reason, error

    def details(self) -> dict[str, Any] | None:
        """The response's `status_details`; a completed one has none."""
        if self.status == "completed":
            return None
        return {"type": self.status, "reason": self.reason, "error": self.error}


@dataclass(frozen=True)
class _Trigger:
    after_ms: float
    fault: ResponseFault
    certain: bool = True  # at the latest it happens at the response's end


class Triggers:
    """The faults of one response, each after its own amount of audio, in order."""

    def __init__(self, faults: Faults, max_output_tokens: int | str) -> None:
        taken = [fault for kind in KINDS if (fault := faults.take(kind))]
        self._waiting = [_Trigger(fault.after_ms, fault) for fault in taken]
        if isinstance(max_output_tokens, int):
            budget_ms = max_output_tokens * 1000 // OUTPUT_AUDIO_PER_S
            self._waiting.append(_Trigger(budget_ms, CutShort("max_output_tokens"), certain=False))
        self._waiting.sort(key=lambda trigger: trigger.after_ms)

    def due(self, audio_ms: float) -> Iterator[ResponseFault]:
        """Removes and yields the faults due after `audio_ms` of audio; infinity (the end) yields all certain ones."""
        for trigger in list(self._waiting):
            if trigger.after_ms <= audio_ms and (trigger.certain or audio_ms < math.inf):
                self._waiting.remove(trigger)
                yield trigger.fault

    def ms_to_next(self, audio_ms: int) -> int | None:
        """How much audio may be sent before the next fault, in ms; None if there is none."""
        return int(self._waiting[0].after_ms - audio_ms) if self._waiting else None
