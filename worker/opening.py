"""The first second of a call: the model's session is asked for and checked, while the caller may already be talking."""

from collections import deque
from typing import Any, Final

import msgspec

from worker.effects import AppendAudio, Timer
from worker.media_stream import payload_bytes
from worker.outbox import Outbox
from worker.profiles import Profile
from worker.realtime.session import session_update, wrong_format
from worker.turns import ToolChoice

_READY_WITHIN_MS: Final = 10_000
_EARLY_AUDIO_BYTES: Final = 2 * 8_000  # 2 s of mu-law


class Opening:
    """Holds the caller's audio back until the session takes mu-law: before, the server would read it as 24 kHz PCM."""

    def __init__(self, outbox: Outbox) -> None:
        self.ready = False
        self._outbox = outbox
        self._early: deque[msgspec.Raw] = deque()
        self._early_bytes = 0

    def begin(self) -> None:
        self._outbox.set(Timer.SESSION, _READY_WITHIN_MS)

    def configure(self, profile: Profile, tool_choice: ToolChoice) -> None:
        self._outbox.to_model(session_update(profile, tool_choice))

    def hear(self, payload: msgspec.Raw) -> None:
        """Takes the caller's audio: to the model, or kept (the last 2 s) while the session is not ready."""
        if self.ready:
            self._outbox.put(AppendAudio(payload))
            return
        # The raw value points into the message it came in; a copy lets that message go.
        self._early.append(payload.copy())
        self._early_bytes += payload_bytes(payload)
        while self._early_bytes > _EARLY_AUDIO_BYTES:
            self._early_bytes -= payload_bytes(self._early.popleft())

    def confirm(self, session: dict[str, Any]) -> str | None:
        """The server has read the session back: gives what is wrong with it, or lets the audio flow and gives None."""
        if wrong := wrong_format(session):
            return wrong
        self.ready = True
        self._outbox.cancel(Timer.SESSION)
        for payload in self._early:
            self._outbox.put(AppendAudio(payload))
        self._early.clear()
        return None
