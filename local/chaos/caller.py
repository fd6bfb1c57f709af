"""A caller who is in the middle of a conversation when something breaks, and continues it afterwards."""

import asyncio
import time
from typing import Final

from local.audio.pitch import STEP_HZ, pitches_in, say
from local.chaos import agent
from local.twilio import CallerGaveUpError, CallReport, Line

_PAUSE_MS: Final = 500  # of the agent's silence, which the caller takes for the end of a sentence
_STORY_PAUSE_MS: Final = 2500  # and for the end of a story that broke off
_ANSWER_MS: Final = 25_000
_PARTING_MS: Final = 60_000
_WORD_MS: Final = 300
_TRIES: Final = 3
_INTO_THE_STORY_MS: Final = 1000
_PITCHES: Final = range(800, 1600, STEP_HZ)


class ChaosCaller:
    """The `number`th caller. At the fault, every second one is listening to a story; the others are silent.

    Half of the callers ask for a person before the fault, the other half after it: `asked` is set when they did, and
    `promised` when the agent said that a person was asked. `served` is set when the conversation went on after the
    fault to its normal end. `waited_ms` is from the end of the caller's first word after the fault to the answer.
    """

    def __init__(self, number: int) -> None:
        self.phone = f"+1555{number:07}"
        self.pitch = _PITCHES[number % len(_PITCHES)]
        self.hears_story = number % 2 == 0
        self.asks_first = number % 4 in (0, 3)
        self.ready, self.over = asyncio.Event(), asyncio.Event()
        self.struck = asyncio.Event()
        self.struck_at_ms = self.struck_at = 0.0
        self.asked = self.promised = self.served = False
        self.report: CallReport | None = None
        self.complaint = ""
        self.waited_ms: float | None = None
        self._line: Line | None = None

    async def run(self, line: Line) -> None:
        """Plays the caller's part of the call."""
        self._line = line
        await line.listen(_PAUSE_MS)
        await self._say(line, self.pitch, {self.pitch})
        if self.asks_first:
            await self._ask_for_a_person(line)
        if self.hears_story:
            await line.say(say(agent.TELL, _WORD_MS))
            await line.wait_until_hearing(_ANSWER_MS)
            await line.wait(_INTO_THE_STORY_MS)
        self.ready.set()
        await self.struck.wait()
        if self.hears_story:
            await line.listen_until_quiet(_STORY_PAUSE_MS)
        await self._say(line, self.pitch, {self.pitch})
        if not self.asks_first:
            await self._ask_for_a_person(line)
        self.served = True
        await self.over.wait()
        await self._say_goodbye(line)

    def strike(self) -> None:
        """Notes that the fault happens now."""
        self.struck_at = time.monotonic()
        if self._line is not None:
            self.struck_at_ms = self._line.now_ms
        self.struck.set()

    async def _ask_for_a_person(self, line: Line) -> None:
        self.asked = True
        self.promised = await self._say(line, agent.FETCH_A_PERSON, {agent.SENT, agent.NOT_SENT}) == agent.SENT

    async def _say_goodbye(self, line: Line) -> None:
        """Repeats the goodbye until the call is over: a word said while a call moves between workers is lost."""
        for _ in range(_TRIES):
            await line.say(say(agent.GOODBYE, _WORD_MS))
            await line.listen(_PAUSE_MS, _PARTING_MS)

    async def _say(self, line: Line, word: int, answers: set[int]) -> int:
        """Repeats a word until one of `answers` is heard, and returns that one."""
        for _ in range(_TRIES):
            await line.say(say(word, _WORD_MS))
            said_ms = line.now_ms
            await line.wait_until_hearing(_ANSWER_MS)
            if self.struck.is_set() and self.waited_ms is None:
                self.waited_ms = line.now_ms - said_ms
            if heard := pitches_in(await line.listen(_PAUSE_MS, _ANSWER_MS)) & answers:
                return heard.pop()
        raise CallerGaveUpError(f"the caller said {word} {_TRIES} times and heard none of {sorted(answers)}")
