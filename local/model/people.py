"""What the front desk tells the caller about the people it has asked to join: its sentence for each call update."""

import re
from typing import Any, Final

# A pattern of the client's call updates, and the sentence for it. The first match counts.
_CALL_UPDATES: Final = (
    (r"Tell the caller that ([^.]+) is joining now", "{} is joining you now."),
    (r"([^.\n]+) has taken the request and will join", "{} will join us in a moment."),
    (r"([^.\n]+) has taken the request and will call", "{} will call you back."),
    (r"([^.\n]+) is about to join", "Thank you for waiting. {} is about to join us."),
    (r"(and that people are being asked)", "I am still here. People are being asked to join us."),
    (r": ([^.\n]+) could not join after all", "I am sorry, {} could not join us. I am still here for you."),
    (r"([^.\n]+) could not join after all", "I am sorry, {} could not join us. I am asking others."),
    (r": ([^.\n]+), who has spoken to them, has left", "Welcome back. Is there anything else I can do for you?"),
    (r"(nobody can call back)", "Nobody is free just now. What number can somebody call you back on?"),
    (r"(somebody will call back)", "Nobody is free to join us just now, but somebody will call you back."),
)
_STATUS: Final = {
    "nobody_yet": "People have been asked, and nobody has answered yet. I am staying with you.",
    "person_coming": "{} will join us in a moment.",
    "person_joining": "{} is joining you now.",
    "person_will_call": "{} will call you back.",
    "callback_promised": "Nobody is free to join us just now, but somebody will call you back.",
    "being_sent": "I am just asking for a person.",
    "not_sent": "I am very sorry, I could not reach a person yet. I am trying again.",
    "over": "The person you asked for has seen to it. Do you need anybody else?",
    "not_asked": "I have not asked for a person yet. Shall I fetch a person?",
}
_CANNOT_SEE: Final = "I cannot see just now how it stands. A person has been asked for, and I am staying with you."


def call_update(instructions: str) -> str | None:
    """The sentence for a call update in the instructions; None if there is none."""
    for pattern, words in _CALL_UPDATES:
        if found := re.search(pattern, instructions):
            return words.format(found[1])
    return None


def status(output: Any) -> str:
    """The sentence for the output of `escalation_status`."""
    if not isinstance(output, dict) or "cannot be looked up" in output.get("note", ""):
        return _CANNOT_SEE
    return _STATUS.get(output.get("status", ""), _CANNOT_SEE).format(output.get("person", "Somebody"))
