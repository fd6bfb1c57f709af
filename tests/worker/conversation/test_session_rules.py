"""The rules of a conversation while the model's session, or the caller's stream, is lost at any point.

The same machine as in `test_rules.py`, with a session that is lost early and often: before it is ready, while a spare
socket is open or being opened, near the end of its hour.
"""

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import precondition, rule

from shared.calls.ending import CallEnd
from tests.worker.conversation.test_rules import CallRules
from tests.worker.dialogue import MU_LAW, STARTED_AT
from worker.conversation.effects import (
    AppendAudio,
    Connect,
    Effect,
    HangUp,
    OpenSpare,
    PlayAudio,
    SendToModel,
    SpareNotOpened,
    SpareOpened,
    StreamLost,
    Timer,
)
from worker.engines.realtime import events

_EARLY = 3
_LATE = 60
_GAP_FRAMES = 100  # 2 s, which are buffered in full


class SessionRules(CallRules):
    """Rule 7: a call outlives its parts."""

    created = False  # `session.created` came on the present socket
    spares = 0  # spare sockets that are being opened
    owed = False  # the caller was owed an answer when the session was lost
    gap_frames = 0  # of the caller's audio, since the session was lost
    sent_frames = 0  # of the caller's audio, sent to the present session

    def _check(self, effects: list[Effect], *, after_error: bool = False) -> None:
        there = self.connected
        for effect in effects:
            match effect:
                case Connect():
                    there = False
                case SendToModel(event):
                    assert there or event["type"] == "session.update", "rule 7: event before the session was ready"
                case AppendAudio():
                    assert there, "rule 7: sent the caller's audio without a session"
                    self.sent_frames += 1
                case OpenSpare():
                    self.spares += 1
                case _:
                    pass
        super()._check(effects, after_error=after_error)

    def _another_session(self) -> None:
        super()._another_session()
        self.created = False

    @precondition(lambda self: self.running() and (self.connected or self.connecting) and self.steps > _EARLY)
    @rule()
    def session_is_lost(self) -> None:
        """In the middle of a sentence, or before the next session is ready."""
        if self.connected:
            spoken_to = self.active is not None and self.active not in self.muted
            self.owed = bool(self.pending) or self.turn_waits or spoken_to
        self.created = self.connecting = False
        super().session_is_lost()
        reconnects = Timer.RECONNECT in self.dialogue.running
        assert reconnects or not self.running(), "rule 7: no reconnection to the model"

    @precondition(lambda self: self.running() and self.connecting and not self.created)
    @rule()
    def session_is_created(self) -> None:
        self.created = True
        expires_at = STARTED_AT.timestamp() + self.dialogue.now / 1000 + 60
        self._check(self.dialogue.feed(events.SessionCreated(events.NewSession(expires_at))))

    @precondition(lambda self: self.running() and self.connecting)
    @rule()
    def session_is_back(self) -> None:
        """It gets the request for the answer that is owed, and the audio of the gap."""
        if not self.created:
            self.session_is_created()
        self.connected, self.connecting = True, False
        self.sessions += 1
        self.sent_frames = 0
        self._check(self.dialogue.feed(events.SessionUpdated(MU_LAW)))
        if self.running():
            assert self.pending or not self.owed, "rule 7: the caller waits for an answer that was not requested"
            assert self.sent_frames == self.gap_frames, "rule 7: the caller's audio of the gap is lost"
        self.owed, self.gap_frames = False, 0

    @precondition(lambda self: self.present() and Timer.RENEWAL in self.dialogue.running)
    @rule()
    def session_nears_its_end(self) -> None:
        self._check(self.dialogue.fire(Timer.RENEWAL))

    @precondition(lambda self: self.running() and self.spares)
    @rule(opened=st.booleans())
    def spare_is_opened_or_not(self, opened: bool) -> None:
        self.spares -= 1
        self._check(self.dialogue.feed(SpareOpened() if opened else SpareNotOpened()))

    @precondition(lambda self: self.running() and self.gap_frames < _GAP_FRAMES)
    @rule()
    def caller_is_heard(self) -> None:
        before = self.sent_frames
        self._check(self.dialogue.hears())
        self.gap_frames += not self.connected
        assert self.sent_frames == before + self.connected, "rule 7: the caller's audio is lost"

    @precondition(lambda self: self.running() and self.steps > _LATE)
    @rule()
    def stream_is_lost(self) -> None:
        """The call continues at another worker."""
        effects = self.dialogue.feed(StreamLost("stream_closed: 1006"))
        [end] = [effect for effect in effects if isinstance(effect, HangUp)]
        assert end.ended in (CallEnd.MOVED, CallEnd.TRANSFERRED), "rule 7: the call does not continue at another worker"
        assert not [effect for effect in effects if isinstance(effect, PlayAudio | Connect)]


TestSessionRules = SessionRules.TestCase
TestSessionRules.settings = settings(max_examples=200, stateful_step_count=80)
