"""A deterministic brain that answers the telephone by keywords, enough for a demo call.

It speaks as a small hotel. With another agent it uses only the tools that the agent has.
"""

import json
import re
from collections.abc import Sequence
from typing import Any, Final

from local.model import people
from local.model.brain import CallTool, Output, Say, Turn
from local.model.tool_schemas import example_arguments, takes

ESCALATE, STATUS, END, HOURS = "escalate_to_human", "escalation_status", "end_call", "opening_hours"

_TROUBLES: Final = {"water in my room": "Water in the room", "lost my key": "Lost the room key"}
_PERSON: Final = ("person", "human", "someone", "somebody", "receptionist", *_TROUBLES)
_WAITING: Final = ("coming", "on the way", "how long")
_BYE: Final = ("goodbye", "good bye", "bye bye")
_HOURS_WORDS: Final = ("opening", "open", "hours", "close")
_PLACES: Final = ("reception", "restaurant", "bar", "pool", "spa", "garage")
_QUOTED: Final = re.compile(r'"([^"]+)"|“([^”]+)”')

# Answers to a response's own instructions, by a word in these.
_ASKED: Final = {
    "still there": "Are you still there?",
    "time limit": "I am sorry, our time is up. Goodbye.",
    "goodbye": "Thank you for calling. Goodbye.",
    "only a little": "We have only a little time left on this call.",
    "greet": "Hello! How can I help you?",
}
_REPLIES: Final = {
    "free room": "I can only look at one date with you. Shall I fetch a person who can book?",
    "book a room": "I cannot book for you myself. Shall I fetch a person who can?",
    "yes": "All right. What would you like me to do?",
    "no": "All right. Is there anything else I can do for you?",
    "thank": "You are welcome. Is there anything else I can do for you?",
    "thanks": "You are welcome. Is there anything else I can do for you?",
    "wait": "Of course, take your time.",
    "moment": "Of course, take your time.",
    "hold on": "Of course, take your time.",
    "hello": "Hello! How can I help you?",
}
_NOT_UNDERSTOOD: Final = "I am sorry, I did not understand that. Could you say it again?"
_SENT: Final = "I have asked a person to help you. They have been told what it is about. Anything else meanwhile?"
_NOT_SENT: Final = "I am very sorry, I could not reach a person just now. Nobody has been told yet. Shall I try again?"
_OFFER: Final = "Shall I fetch a person"
_NO_PERSON: Final = "I am sorry, I have no way to fetch a person."
_NO_HOURS: Final = "I am sorry, I cannot look that up."


class FrontDesk:
    """Follows the response's own instructions first, then a tool's output, then the caller's words."""

    async def plan(self, turn: Turn) -> Sequence[Output]:
        if turn.must_call:
            return _call(turn) or _harmless_call(turn)
        if turn.asked:
            return [Say(_as_asked(turn.asked))]
        if turn.last_output:
            call, output = turn.last_output
            return [Say(_told(call.name, call.arguments, output.output))]
        return _call(turn) or [Say(_reply(turn))]


def _as_asked(instructions: str) -> str:
    if told := people.call_update(instructions):
        return told
    quoted: list[str] = [first or second for first, second in _QUOTED.findall(instructions)]
    if quoted:
        return max(quoted, key=len)
    lowered = instructions.lower()
    return next((words for key, words in _ASKED.items() if key in lowered), "How can I help you?")


def _call(turn: Turn) -> list[Output]:
    """The tool call that the caller's words require, if that tool may be called."""
    wanted = ESCALATE if _accepts_a_person(turn) else _wanted(turn.heard)
    return [CallTool(wanted, _arguments(wanted, turn))] if wanted in turn.callable_tools else []


def _harmless_call(turn: Turn) -> list[Output]:
    """A call for a response that must call a tool although the caller needs none: preferably a look-up."""
    for tool in turn.tools:
        if tool["name"] in turn.callable_tools and tool["name"] not in (ESCALATE, STATUS, END):
            return [CallTool(tool["name"], example_arguments(tool.get("parameters")))]
    return []


def _accepts_a_person(turn: Turn) -> bool:
    """Whether the caller says yes to the agent's own offer."""
    offered = next((item.text or "" for item in reversed(turn.items) if item.role == "assistant"), "")
    return _OFFER in offered and turn.heard.startswith("yes")


def _wanted(heard: str) -> str:
    for tool, words in ((STATUS, _WAITING), (ESCALATE, _PERSON), (END, _BYE), (HOURS, _HOURS_WORDS)):
        if any(word in heard for word in words):
            return tool
    return ""


def _arguments(tool: str, turn: Turn) -> dict[str, Any]:
    if tool == ESCALATE:
        reason = next((reason for words, reason in _TROUBLES.items() if words in turn.heard), "Asked for a person")
        return {
            "reason": reason,
            "summary": f"The caller said: {_last_words(turn)}.",
            "urgency": "high" if "water" in turn.heard else "normal",
        }
    if tool == HOURS:
        return _place(turn)
    if tool == STATUS:
        return {}
    return {"reason": "The caller said goodbye."}


def _place(turn: Turn) -> dict[str, Any]:
    """Arguments of a tool: the place that the caller asked about, if it takes one, and its required ones."""
    parameters = next(tool.get("parameters") or {} for tool in turn.tools if tool["name"] == HOURS)
    arguments = example_arguments(parameters)
    place = next((place for place in _PLACES if place in turn.heard), "")
    return {**arguments, "place": place} if place and takes(parameters, "place", place) else arguments


def _last_words(turn: Turn) -> str:
    """The caller's last words and those before: a "yes" alone does not say what the call is about."""
    said = [item.text for item in turn.items if item.role == "user" and item.text and item.text != turn.heard]
    return ", ".join(f'"{words}"' for words in [*said[-1:], turn.heard])


def _told(tool: str, arguments: str, output: str) -> str:
    """The sentence for a tool's output, or for its failure."""
    found = _read(output)
    failed = isinstance(found, dict) and "error" in found
    if tool == ESCALATE:
        return _NOT_SENT if failed else _SENT
    if tool == STATUS:
        return people.status(found)
    if tool == END:
        return _ASKED["goodbye"]
    if failed:
        return "I am sorry, I could not find that out. Shall I fetch a person?"
    if tool == HOURS and (place := _read(arguments).get("place")):
        return f"For the {place}: {found}."
    return f"Here is what I found: {found}."


def _read(text: str) -> Any:
    """Parses JSON; other text is returned unchanged."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _reply(turn: Turn) -> str:
    wanted = _wanted(turn.heard)
    if wanted == ESCALATE:
        return _NO_PERSON
    if wanted == END:
        return _ASKED["goodbye"]
    if wanted == HOURS:
        return _NO_HOURS
    return next((words for key, words in _REPLIES.items() if f" {key} " in f" {turn.heard} "), _NOT_UNDERSTOOD)
