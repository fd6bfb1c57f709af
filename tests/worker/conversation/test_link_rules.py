"""The rules of a conversation while its link to the model, or the caller's stream, is lost at any point.

The same machine as in `test_rules.py`, with a link that is lost early and often: before a session is ready, with a
spare at hand or on its way, near the end of a session's hour.
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
_GAP_FRAMES = 100  # 2 s, which are kept whole


class LinkRules(CallRules):
    """Rule 7: a call outlives its parts."""

    created = False  # a session on the socket that is being opened
    spares = 0  # sockets on their way, to be opened ahead
    owed = False  # the caller was owed an answer when the session was lost
    gap_frames = 0  # of the caller's audio, without a session
    sent_frames = 0  # and to the present one

    def _look(self, effects: list[Effect], *, after_error: bool = False) -> None:
        there = self.connected
        for effect in effects:
            match effect:
                case Connect():
                    there = False
                case SendToModel(event):
                    assert there or event["type"] == "session.update", "rule 7: spoken to before it was configured"
                case AppendAudio():
                    assert there, "rule 7: the caller's audio was sent to nobody"
                    self.sent_frames += 1
                case OpenSpare():
                    self.spares += 1
                case _:
                    pass
        super()._look(effects, after_error=after_error)

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
        called_again = Timer.RECONNECT in self.dialogue.running
        assert called_again or not self.running(), "rule 7: nobody calls the model again"

    @precondition(lambda self: self.running() and self.connecting and not self.created)
    @rule()
    def session_is_created(self) -> None:
        self.created = True
        expires_at = STARTED_AT.timestamp() + self.dialogue.now / 1000 + 60
        self._look(self.dialogue.feed(events.SessionCreated(events.NewSession(expires_at))))

    @precondition(lambda self: self.running() and self.connecting)
    @rule()
    def session_is_back(self) -> None:
        """It is asked for what the caller is owed, and hears what the caller said meanwhile."""
        if not self.created:
            self.session_is_created()
        self.connected, self.connecting = True, False
        self.sessions += 1
        self.sent_frames = 0
        self._look(self.dialogue.feed(events.SessionUpdated(MU_LAW)))
        if self.running():
            assert self.pending or not self.owed, "rule 7: the caller waits for an answer that nobody asks for"
            assert self.sent_frames == self.gap_frames, "rule 7: what the caller said in the gap is lost"
        self.owed, self.gap_frames = False, 0

    @precondition(lambda self: self.present() and Timer.RENEWAL in self.dialogue.running)
    @rule()
    def session_nears_its_end(self) -> None:
        self._look(self.dialogue.fire(Timer.RENEWAL))

    @precondition(lambda self: self.running() and self.spares)
    @rule(opened=st.booleans())
    def spare_is_opened_or_not(self, opened: bool) -> None:
        self.spares -= 1
        self._look(self.dialogue.feed(SpareOpened() if opened else SpareNotOpened()))

    @precondition(lambda self: self.running() and self.gap_frames < _GAP_FRAMES)
    @rule()
    def caller_is_heard(self) -> None:
        before = self.sent_frames
        self._look(self.dialogue.hears())
        self.gap_frames += not self.connected
        assert self.sent_frames == before + self.connected, "rule 7: the caller is not heard"

    @precondition(lambda self: self.running() and self.steps > _LATE)
    @rule()
    def stream_is_lost(self) -> None:
        """The call is not over with it: it goes on at another worker."""
        effects = self.dialogue.feed(StreamLost("stream_closed: 1006"))
        [end] = [effect for effect in effects if isinstance(effect, HangUp)]
        assert end.ended in (CallEnd.MOVED, CallEnd.TRANSFERRED), "rule 7: the call does not go on elsewhere"
        assert not [effect for effect in effects if isinstance(effect, PlayAudio | Connect)]


TestLinkRules = LinkRules.TestCase
TestLinkRules.settings = settings(max_examples=200, stateful_step_count=80, deadline=None)
