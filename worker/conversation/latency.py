"""How long a caller waits for each answer: from the end of their speech until it is sent, and until it is heard.

The wait begins when the caller stopped speaking, which is earlier than the server's event: the server first listens to
`silence_duration_ms` of silence, and audio and event take time on the network. `audio_end_ms` is the place in the audio
where that silence ended; the audio sent since then shows how long ago that was. Semantic detection does not report how
long it listened, so with it the wait begins when it decided that the turn had ended.
"""

from dataclasses import dataclass

from shared.agents import SemanticVad, ServerVad
from worker.engines.realtime.session_state import SessionState


@dataclass(slots=True)
class Answer:
    """The wait for one answer, in ms. `heard_ms` is None if the caller spoke or hung up before hearing the answer."""

    sent_ms: float
    after_tool: bool  # a tool ran before the answer began
    heard_ms: float | None = None


class Latency:
    """Measures from the end of a caller's turn to the first sound of the answer. `now` is in ms since the call started.

    The greeting and other unprompted words are not answers. A turn that the caller continues, or that gets no spoken
    answer, is not measured.
    """

    def __init__(self, session: SessionState, detection: ServerVad | SemanticVad) -> None:
        self.answers: list[Answer] = []
        self._session = session
        self._silence_ms = detection.silence_duration_ms if isinstance(detection, ServerVad) else 0
        self._silent_since: float | None = None
        self._tool_called = False
        # The latest answer's first mark and the start of its wait, until the mark's echo comes.
        self._unheard: tuple[str, float] | None = None

    @property
    def waiting(self) -> bool:
        """The caller has finished a turn and has no answer yet."""
        return self._silent_since is not None

    def caller_stopped(self, audio_end_ms: int | None, now: float) -> None:
        """Starts the wait: the server found the end of the caller's turn at `audio_end_ms` of the session's audio."""
        since_ms = 0 if audio_end_ms is None else self._session.sent_since(audio_end_ms)
        self._silent_since = now - since_ms - self._silence_ms
        self._tool_called = False

    def tool_called(self) -> None:
        self._tool_called = True

    def dismissed(self) -> None:
        """Stops the wait: the caller continues, or no answer is due."""
        self._silent_since = None

    def sent(self, first_sound: str, now: float) -> None:
        """Records that the agent's audio was sent; the echo of the mark `first_sound` shows when it starts to play."""
        if self._silent_since is None:
            return
        self.answers.append(Answer(now - self._silent_since, self._tool_called))
        self._unheard = first_sound, self._silent_since
        self._silent_since = None

    def heard(self, mark: str, now: float) -> None:
        """Records the echo of a mark: everything before the mark was played, not dropped."""
        if self._unheard and mark == self._unheard[0]:
            self.answers[-1].heard_ms = now - self._unheard[1]
            self._unheard = None
