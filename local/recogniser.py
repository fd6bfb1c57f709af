"""Words from the caller's audio, mu-law at 8 kHz."""

from collections import deque
from typing import Protocol


class Recogniser(Protocol):
    """Gives the words in mu-law audio, in lower case; "" when it understood nothing."""

    async def recognise(self, audio: bytes) -> str: ...


class Dictated:
    """For tests: the words of the first, second, ... turn are these, whatever the audio; after that, none."""

    def __init__(self, *texts: str) -> None:
        self._texts = deque(texts)

    async def recognise(self, audio: bytes) -> str:
        return self._texts.popleft() if self._texts else ""
