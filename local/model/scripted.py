"""A brain for tests: it gives prepared responses in order, and records the turns it was asked for."""

from collections import deque
from collections.abc import Sequence

from local.model.brain import CallTool, Output, Say, Turn

MURMUR = (Say("Mm-hm.", ms=400),)


class Scripted:
    """Each argument is one response: an output or a list of outputs.

    If `tool_choice` forces a tool call and the next prepared response has none, that one is kept for a later turn.
    After the last prepared response, each response is `otherwise`.
    """

    def __init__(self, *responses: Output | Sequence[Output], otherwise: Sequence[Output] = MURMUR) -> None:
        self.turns: list[Turn] = []
        self._otherwise = otherwise
        self._script: deque[Sequence[Output]] = deque()
        self.then(*responses)

    def then(self, *responses: Output | Sequence[Output]) -> None:
        """Adds responses at the end of the script."""
        self._script += [response if isinstance(response, Sequence) else [response] for response in responses]

    async def plan(self, turn: Turn) -> Sequence[Output]:
        self.turns.append(turn)
        if not self._script:
            return self._otherwise
        if turn.must_call and not any(isinstance(output, CallTool) for output in self._script[0]):
            return []
        return self._script.popleft()
