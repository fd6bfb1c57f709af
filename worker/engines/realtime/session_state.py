"""The link to the model: a session that is opened, checked, and restored when it is lost."""

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
# At once, and then not so often that a struggling service is made to struggle more.
_RECONNECT_AFTER_MS: Final = (200, 800, 2_000)
_EARLY_AUDIO_BYTES: Final = 2_000 * BYTES_PER_MS  # before the first session
_GAP_AUDIO_BYTES: Final = 6_000 * BYTES_PER_MS  # the caller goes on talking while the model is away
# A session lives for an hour and cannot be extended; two minutes before, there is surely a pause between two turns.
_RENEW_BEFORE_END_MS: Final = 120_000
_TRY_SPARE_AGAIN_MS: Final = 15_000
_REMEMBERED: Final = 80  # turns and results; a long call's beginning is dropped first


class SessionState:
    """Not ready, ready, or lost. Holds the caller's audio back until a session takes mu-law.

    Before that, the server would read it as 24 kHz PCM.
    """

    def __init__(self, effects: EffectQueue, agent: Agent, transcript: Transcript) -> None:
        self.ready = False
        self.was_ready = False
        self.spare = False  # a second socket stands ready
        self._effects = effects
        self._agent = agent
        self._transcript = transcript
        self._attempts = 0
        self._waiting: deque[msgspec.Raw] = deque()
        self._waiting_bytes = 0
        self._frames = 0  # that the present session was given

    def open(self) -> None:
        self._effects.set(Timer.SESSION, _FIRST_READY_WITHIN_MS)
        self.connect()

    def connect(self) -> None:
        self._attempts += 1
        self.spare = False
        self._effects.cancel(Timer.RENEWAL)
        self._effects.put(Connect())

    def renew(self) -> None:
        """Goes over to the spare socket; the caller's audio is kept for the moment that it takes to configure it."""
        self._break()
        self.connect()

    def prepare(self) -> None:
        """The session's end is near."""
        self._effects.put(OpenSpare())

    def prepared(self, *, opened: bool) -> None:
        """The spare is there, or not. If the session is lost meanwhile, it is what the next try takes."""
        self.spare = opened and self.ready
        if not opened:
            self._effects.set(Timer.RENEWAL, _TRY_SPARE_AGAIN_MS)

    def lost(self) -> bool:
        """The socket is gone, or was never there: tries again, or gives False after too many tries in a row."""
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
        """A session is open: gives it if it is the one that the agent describes; otherwise asks for that now."""
        left_ms = ((opened.session.expires_at or 0) - now.timestamp()) * 1000
        # One that says it is over already is not believed: the next might say so too, and each would be replaced.
        if left_ms > 0:
            self._effects.set(Timer.RENEWAL, max(0.0, left_ms - _RENEW_BEFORE_END_MS))
        update = session_update(self._agent, tool_choice)
        if isinstance(opened, SessionReady) and opened.asked == update:
            return opened.session
        self._effects.put(SendToModel(update))
        return None

    def confirm(self, session: Session) -> str | None:
        """The server has read the session back: gives what is wrong with it, or lets the conversation flow."""
        if wrong := wrong_format(session):
            return wrong
        self.ready = self.was_ready = self._effects.connected = True
        self._attempts = 0
        self._effects.cancel(Timer.SESSION)
        for role, text in self._transcript.history(_REMEMBERED):
            self._effects.to_model(remember(role, text))
        for payload in self._waiting:
            self._effects.put(AppendAudio(payload))
        self._frames = len(self._waiting)
        self._waiting.clear()
        self._waiting_bytes = 0
        return None

    def hear(self, payload: msgspec.Raw) -> bool:
        """Takes the caller's audio: True if it is for the model; while there is no session the newest is kept."""
        if self.ready:
            self._frames += 1
            return True
        # The raw value points into the message it came in; a copy lets that message go.
        self._waiting.append(payload.copy())
        self._waiting_bytes += payload_bytes(payload)
        bound = _GAP_AUDIO_BYTES if self.was_ready else _EARLY_AUDIO_BYTES
        while self._waiting_bytes > bound:
            self._waiting_bytes -= payload_bytes(self._waiting.popleft())
        return False

    def sent_since(self, audio_ms: int) -> int:
        """How much audio, in ms, the session was given behind this place in all of its audio."""
        return max(0, self._frames * FRAME_MS - audio_ms)
