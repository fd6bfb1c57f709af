"""A caller of the chaos suite repeats a goodbye that is not heard."""

import pytest

from local.audio.pitch import pitches_in, say
from local.chaos import agent
from local.chaos.caller import ChaosCaller
from local.twilio import CallEndedError

_DEAF = 1  # how many goodbyes are lost


class _Line:
    """Answers each word, but ignores the first goodbye; ends the call after the second."""

    now_ms = 0.0

    def __init__(self) -> None:
        self.words: list[int] = []

    async def say(self, audio: bytes) -> None:
        self.words += pitches_in(audio)
        if self.words.count(agent.GOODBYE) > _DEAF:
            raise CallEndedError

    async def wait_until_hearing(self, limit_ms: float) -> None:
        """Returns at once."""

    async def listen(self, quiet_ms: float, limit_ms: float = 0) -> bytes:
        answers = {agent.FETCH_A_PERSON: agent.SENT, agent.GOODBYE: agent.SPEAKING}
        word = self.words[-1] if self.words else agent.SPEAKING
        return say(answers.get(word, word), 300)


async def test_goodbye_that_nobody_hears() -> None:
    """A goodbye that is lost while the call moves to another worker is said again."""
    caller, line = ChaosCaller(1), _Line()
    caller.strike()
    caller.over.set()
    with pytest.raises(CallEndedError):
        await caller.run(line)  # type: ignore[arg-type] # as much of a line as it needs
    assert caller.served
    assert caller.promised
    assert line.words == [caller.pitch, caller.pitch, agent.FETCH_A_PERSON, agent.GOODBYE, agent.GOODBYE]
