"""How long a caller waits for each answer: from the end of their speech until it is sent, and until it is heard.

The wait begins where the caller fell silent, and not when the server said so: before that it listened to
`silence_duration_ms` of silence, and the caller's audio and its word of it were on their way. `audio_end_ms` tells
where in the audio the silence was over, and the audio sent since then tells how long ago that was. Of semantic
detection nobody says how long it listened, so its figures begin where it had made up its mind.
"""

from dataclasses import dataclass

from shared.agents import SemanticVad, ServerVad
from worker.engines.realtime.session_state import SessionState


@dataclass(slots=True)
class Answer:
    """The wait for one answer, in ms. `heard_ms` is None if the caller spoke, or was gone, before it could be heard."""

    sent_ms: float
    after_tool: bool  # the agent waited for a tool before it said anything
    heard_ms: float | None = None


class Latency:
    """Follows each turn of the caller to the first sound of its answer. `now` is in ms since the call started.

    The greeting and what the agent says unasked answer nobody. A turn that the caller goes on with, or that nothing is
    said to, has no answer either.
    """

    def __init__(self, session: SessionState, detection: ServerVad | SemanticVad) -> None:
        self.answers: list[Answer] = []
        self._session = session
        self._silence_ms = detection.silence_duration_ms if isinstance(detection, ServerVad) else 0
        self._silent_since: float | None = None
        self._tool_called = False
        # The newest answer's mark, and the silence before it, until its echo shows that the answer is being heard.
        self._unheard: tuple[str, float] | None = None

    @property
    def waiting(self) -> bool:
        """The caller has said something and has not been answered yet."""
        return self._silent_since is not None

    def caller_stopped(self, audio_end_ms: int | None, now: float) -> None:
        """The server has heard the caller's turn end, there in the audio of its session."""
        since_ms = 0 if audio_end_ms is None else self._session.sent_since(audio_end_ms)
        self._silent_since = now - since_ms - self._silence_ms
        self._tool_called = False

    def tool_called(self) -> None:
        self._tool_called = True

    def dismissed(self) -> None:
        """What the caller said will not be answered for itself: they go on, or nobody owes them anything."""
        self._silent_since = None

    def sent(self, first_sound: str, now: float) -> None:
        """Audio of the agent was sent; the echo of the mark `first_sound` will show that it is being heard."""
        if self._silent_since is None:
            return
        self.answers.append(Answer(now - self._silent_since, self._tool_called))
        self._unheard = first_sound, self._silent_since
        self._silent_since = None

    def heard(self, mark: str, now: float) -> None:
        """All before this mark was played, and not merely dropped."""
        if self._unheard and mark == self._unheard[0]:
            self.answers[-1].heard_ms = now - self._unheard[1]
            self._unheard = None
