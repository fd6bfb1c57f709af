"""A scripted brain answers in order, and keeps words while a tool call is forced."""

from local.model import CallTool, Say, Scripted
from local.model.brain import Turn
from tests.local.model.client import HOURS


def _turn(choice: str = "auto") -> Turn:
    return Turn("", "", "", [HOURS], choice, [], "client")


async def test_responses_come_in_order_and_then_the_other_one() -> None:
    """Single outputs and lists; more can be added later."""
    brain = Scripted(Say("one"), [Say("two"), CallTool("opening_hours")], otherwise=[Say("and so on")])
    assert await brain.plan(_turn()) == [Say("one")]
    brain.then(Say("three"))
    assert await brain.plan(_turn()) == [Say("two"), CallTool("opening_hours")]
    assert await brain.plan(_turn()) == [Say("three")]
    assert await brain.plan(_turn()) == [Say("and so on")]
    assert len(brain.turns) == 4


async def test_words_are_not_used_up_by_a_response_that_must_call_a_tool() -> None:
    """They are kept for a response that may speak; a planned call is used."""
    brain = Scripted(Say("at last"), CallTool("opening_hours"))
    assert await brain.plan(_turn("required")) == []
    assert await brain.plan(_turn("auto")) == [Say("at last")]
    assert await brain.plan(_turn("required")) == [CallTool("opening_hours")]
