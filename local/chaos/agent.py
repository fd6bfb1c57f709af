"""The agent that callers phone while things break. Words are tones: it knows four of the caller's, and answers each
with a pitch that tells the caller the result."""

import json
from collections.abc import Sequence
from typing import Final

from local.model import CallTool, Say, Turn
from local.model.brain import Output

# What a caller says, as pitches in Hz; any other pitch identifies the caller, and the agent repeats it.
TELL: Final = 1800
FETCH_A_PERSON: Final = 2000
GOODBYE: Final = 2200

# What the agent says.
SPEAKING: Final = 280
SENT: Final = 520
NOT_SENT: Final = 640

_STORY_MS: Final = 6000
_SENTENCE_MS: Final = 600


class Agent:
    """Greets, repeats, tells a story, asks for a person, ends the call, and continues a resumed call.

    It keeps no state: its answers depend only on the conversation in the session.
    """

    async def plan(self, turn: Turn) -> Sequence[Output]:
        """Answers the last tool's output, else the caller's last word, else the instructions of the response."""
        if turn.last_output:
            call, output = turn.last_output
            return [_after(call.name, output.output)]
        word = turn.heard.split()[-1] if turn.heard else ""
        if not word:
            return [Say("Hello." if "Greet" in turn.asked else "To go on.", _SENTENCE_MS, hz=SPEAKING)]
        match int(word):
            case hz if hz == TELL:
                return [Say("Once upon a time there was a line that held.", _STORY_MS, hz=SPEAKING)]
            case hz if hz == FETCH_A_PERSON:
                return [CallTool("escalate_to_human", {"reason": "chaos", "summary": "Wants a person."})]
            case hz if hz == GOODBYE:
                return [CallTool("end_call", {"reason": "done"})]
            case hz:
                return [Say(f"You said {hz}.", _SENTENCE_MS, hz=hz)]


def _after(tool: str, output: str) -> Say:
    if tool == "end_call":
        return Say("Goodbye.", _SENTENCE_MS, hz=SPEAKING)
    if "status" in json.loads(output):
        return Say("A person has been asked for.", _SENTENCE_MS, hz=SENT)
    return Say("Nobody could be told.", _SENTENCE_MS, hz=NOT_SENT)
