"""The state of the model's session: opens, checks and renews it, and restores it when it is lost."""

from collections import deque
from datetime import datetime
from typing import Final

import msgspec

from worker.agents import Agent
from worker.audio import BYTES_PER_MS, FRAME_MS, payload_bytes
from worker.conversation.effects import AppendAudio, Connect, EffectQueue, OpenSpare, SendToModel, SessionReady, Timer
from worker.conversation.transcript import Transcript
from worker.engines.realtime.events import Session, SessionCreated
from worker.engines.realtime.session import remember, session_update, wrong_format
from worker.engines.realtime.turns import ToolChoice

_FIRST_READY_WITHIN_MS: Final = 10_000
_BACK_WITHIN_MS: Final = 5_000
# The first retry is fast; later ones are slower, so that they do not overload a struggling service.
_RECONNECT_AFTER_MS: Final = (200, 800, 2_000)
_EARLY_AUDIO_BYTES: Final = 2_000 * BYTES_PER_MS  # before the first session
_GAP_AUDIO_BYTES: Final = 6_000 * BYTES_PER_MS  # while a lost session is restored
# A session lives for an hour and cannot be extended. Within its last two minutes there should be a pause between turns.
_RENEW_BEFORE_END_MS: Final = 120_000
_TRY_SPARE_AGAIN_MS: Final = 15_000
_REMEMBERED: Final = 80  # transcript entries for a new session; the oldest are dropped first


class SessionState:
    """Not ready, ready, or lost. Buffers the caller's audio until a session accepts mu-law.

    Before that, the server would read the audio as 24 kHz PCM.
    """

    def __init__(self, effects: EffectQueue, agent: Agent, transcript: Transcript) -> None:
        self.ready = False
        self.was_ready = False
        self.spare = False  # a spare socket is open
        self._effects = effects
        self._agent = agent
        self._transcript = transcript
        self._attempts = 0
        self._buffer: deque[msgspec.Raw] = deque()  # of the caller's audio
        self._buffer_bytes = 0
        self._frames = 0  # of audio sent to the present session

    def open(self) -> None:
        self._effects.set(Timer.SESSION, _FIRST_READY_WITHIN_MS)
        self.connect()

    def connect(self) -> None:
        self._attempts += 1
        self.spare = False
        self._effects.cancel(Timer.RENEWAL)
        self._effects.put(Connect())

    def renew(self) -> None:
        """Switches to the spare socket; the caller's audio is buffered until it is configured."""
        self._break()
        self.connect()

    def prepare(self) -> None:
        """Opens the spare socket, because the session expires soon."""
        self._effects.put(OpenSpare())

    def prepared(self, *, opened: bool) -> None:
        """Records whether the spare socket is open. If the session was lost meanwhile, the next `Connect` uses it."""
        self.spare = opened and self.ready
        if not opened:
            self._effects.set(Timer.RENEWAL, _TRY_SPARE_AGAIN_MS)

    def lost(self) -> bool:
        """Retries after the socket was lost or could not be opened; False after too many tries in a row."""
        if self.ready:
            self._break()
        if self._attempts >= len(_RECONNECT_AFTER_MS):
            return False
        self._effects.set(Timer.RECONNECT, _RECONNECT_AFTER_MS[self._attempts])
        return True

    def _break(self) -> None:
        self.ready = self._effects.connected = self.spare = False
        self._attempts = 0
        self._effects.set(Timer.SESSION, _BACK_WITHIN_MS)

    def configure(
        self, opened: SessionCreated | SessionReady, tool_choice: ToolChoice, now: datetime
    ) -> Session | None:
        """Returns the open session if it is configured for the agent; otherwise sends the `session.update` for it."""
        left_ms = ((opened.session.expires_at or 0) - now.timestamp()) * 1000
        # An expiry in the past is ignored: otherwise each new session could be replaced at once.
        if left_ms > 0:
            self._effects.set(Timer.RENEWAL, max(0.0, left_ms - _RENEW_BEFORE_END_MS))
        update = session_update(self._agent, tool_choice)
        if isinstance(opened, SessionReady) and opened.update == update:
            return opened.session
        self._effects.put(SendToModel(update))
        return None

    def confirm(self, session: Session) -> str | None:
        """Takes the session as the server confirmed it: returns what is wrong with it, or None and starts to use it."""
        if wrong := wrong_format(session):
            return wrong
        self.ready = self.was_ready = self._effects.connected = True
        self._attempts = 0
        self._effects.cancel(Timer.SESSION)
        for role, text in self._transcript.history(_REMEMBERED):
            self._effects.to_model(remember(role, text))
        for payload in self._buffer:
            self._effects.put(AppendAudio(payload))
        self._frames = len(self._buffer)
        self._buffer.clear()
        self._buffer_bytes = 0
        return None

    def hear(self, payload: msgspec.Raw) -> bool:
        """Takes the caller's audio; True if it must go to the model now, otherwise the newest part is buffered."""
        if self.ready:
            self._frames += 1
            return True
        # The raw value is a view into its message; the copy lets the message be freed.
        self._buffer.append(payload.copy())
        self._buffer_bytes += payload_bytes(payload)
        limit = _GAP_AUDIO_BYTES if self.was_ready else _EARLY_AUDIO_BYTES
        while self._buffer_bytes > limit:
            self._buffer_bytes -= payload_bytes(self._buffer.popleft())
        return False

    def sent_since(self, audio_ms: int) -> int:
        """The ms of audio that were sent to the session after this position in its audio."""
        return max(0, self._frames * FRAME_MS - audio_ms)
