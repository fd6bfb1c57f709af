"""The front desk answers by keywords, the same every time."""

import json
from collections.abc import Sequence
from typing import Any, Literal

import pytest

from local.model import CallTool, FrontDesk, Say
from local.model.brain import Output, Turn
from local.model.conversation import Item


def _tool(name: str, **parameters: Any) -> dict[str, Any]:
    schema = {"type": "object", "properties": parameters, "required": [key for key in parameters if key != "place"]}
    return {"type": "function", "name": name, "parameters": schema}


OTHERS = [_tool("escalate_to_human"), _tool("escalation_status"), _tool("end_call")]
TOOLS = [*OTHERS, _tool("opening_hours", place={"type": "string"})]


async def _plan(
    heard: str = "",
    *,
    asked: str = "",
    tools: Sequence[dict[str, Any]] = TOOLS,
    choice: str | dict[str, Any] = "auto",
    items: Sequence[Item] = (),
    why: Literal["client", "vad"] = "vad",
) -> Output:
    [output] = await FrontDesk().plan(Turn(heard, "Be kind.", asked, list(tools), choice, items, why))
    return output


def _told(name: str, output: str, arguments: str = "{}") -> list[Item]:
    call = Item("function_call", name=name, call_id="call_1", arguments=arguments)
    return [call, Item("function_call_output", call_id="call_1", output=output)]


@pytest.mark.parametrize(
    ("heard", "name", "arguments"),
    [
        ("what are your opening hours", "opening_hours", {}),
        ("what are the opening hours of the pool", "opening_hours", {"place": "pool"}),
        ("i want to speak to a person", "escalate_to_human", {"urgency": "normal"}),
        ("there is water in my room", "escalate_to_human", {"urgency": "high", "reason": "Water in the room"}),
        ("i have lost my key", "escalate_to_human", {"urgency": "normal"}),
        ("is somebody coming", "escalation_status", {}),
        ("thank you goodbye", "end_call", {}),
    ],
)
async def test_what_the_caller_wants_is_a_tool_call(heard: str, name: str, arguments: dict[str, Any]) -> None:
    """The tool for a keyword, with arguments from the words."""
    output = await _plan(heard)
    assert isinstance(output, CallTool)
    assert output.name == name
    assert isinstance(output.arguments, dict)
    assert arguments.items() <= output.arguments.items()


@pytest.mark.parametrize(
    ("hours", "arguments"),
    [
        ({}, {}),
        ({"place": {"enum": ["shop", "workshop"]}}, {}),
        ({"place": {"enum": ["pool"]}, "day": {"enum": ["today", "tomorrow"]}}, {"place": "pool", "day": "today"}),
    ],
)
async def test_opening_hours_of_another_agent(hours: dict[str, Any], arguments: dict[str, Any]) -> None:
    """It gives the tool the arguments that it takes and requires, and no place that the tool does not know."""
    tools = [*OTHERS, _tool("opening_hours", **hours)]
    assert await _plan("what are the opening hours of the pool", tools=tools) == CallTool("opening_hours", arguments)


async def test_an_agent_without_opening_hours() -> None:
    """It says so; unknown tools are called only if a call is forced."""
    tools = [*OTHERS, _tool("repair_status", ticket={"type": "integer"})]
    assert await _plan("what are your opening hours", tools=tools) == Say("I am sorry, I cannot look that up.")
    assert await _plan("hello", tools=tools, choice="required") == CallTool("repair_status", {"ticket": 1})


async def test_an_escalation_says_who_said_what() -> None:
    """The summary for the people on call has the caller's words."""
    output = await _plan("get me a human")
    assert isinstance(output, CallTool)
    assert isinstance(output.arguments, dict)
    assert "get me a human" in output.arguments["summary"]


async def test_a_yes_to_its_offer_fetches_a_person() -> None:
    """The summary has the caller's earlier request; without the offer, a yes fetches nobody."""
    wish = Item("message", role="user", content="input_audio", text="i would like to book a room")
    offer = Item("message", role="assistant", content="output_audio", text="I cannot. Shall I fetch a person who can?")
    output = await _plan("yes please", items=[wish, offer])
    assert isinstance(output, CallTool)
    assert isinstance(output.arguments, dict)
    assert "book a room" in output.arguments["summary"]
    assert isinstance(await _plan("yes please", items=[wish]), Say)


@pytest.mark.parametrize(("tools", "choice"), [([], "auto"), (TOOLS, "none")])
async def test_without_the_tool_it_says_so(tools: list[dict[str, Any]], choice: str) -> None:
    """Without the tools it promises no person, and says goodbye instead of hanging up."""
    assert await _plan("get me a human", tools=tools, choice=choice) == Say(
        "I am sorry, I have no way to fetch a person."
    )
    assert await _plan("goodbye", tools=tools, choice=choice) == Say("Thank you for calling. Goodbye.")


@pytest.mark.parametrize(
    ("output", "word"),
    [
        (json.dumps({"status": "sent", "note": "told them"}), "asked a person"),
        (json.dumps({"error": "down"}), "could not"),
    ],
)
async def test_what_it_says_of_an_escalation_is_what_the_tool_said(output: str, word: str) -> None:
    """A person was asked, or nobody could be told."""
    said = await _plan("get me a human", items=_told("escalate_to_human", output), why="client")
    assert isinstance(said, Say)
    assert word in said.text


async def test_it_says_what_a_tool_found() -> None:
    """For any tool, also if the tool failed."""
    said = await _plan("are you open now", items=_told("opening_hours", "7 to 21", '{"place": "pool"}'))
    assert said == Say("For the pool: 7 to 21.")
    assert await _plan(items=_told("opening_hours", "7 to 21")) == Say("Here is what I found: 7 to 21.")
    assert await _plan(items=_told("find_booking", "H4821")) == Say("Here is what I found: H4821.")
    failed = await _plan(items=_told("find_booking", json.dumps({"error": "away"})))
    assert isinstance(failed, Say)
    assert "could not find" in failed.text


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ('Greet the caller now. Say exactly this and nothing else: "Good day."', "Good day."),
        ("Greet the caller and ask how you can help.", "Hello! How can I help you?"),
        ("The caller has been silent. Ask whether they are still there.", "Are you still there?"),
        ("The call is about to end. Say goodbye.", "Thank you for calling. Goodbye."),
        ("This call has reached its time limit. Say so, and say goodbye.", "I am sorry, our time is up. Goodbye."),
        ("This call can last only a little longer.", "We have only a little time left on this call."),
    ],
)
async def test_it_says_what_it_is_asked_to_say(asked: str, said: str) -> None:
    """Quoted words exactly, otherwise a fitting sentence; also if a tool's output waits for an answer."""
    assert await _plan(asked=asked, items=_told("end_call", "ok"), why="client") == Say(said)


@pytest.mark.parametrize(
    ("heard", "word"),
    [
        ("hello", "Hello"),
        ("thank you", "welcome"),
        ("no thank you", "else"),
        ("yes please", "What would you like"),
        ("one moment please", "take your time"),
        ("i would like to book a room", "cannot book"),
        ("", "did not understand"),
    ],
)
async def test_other_words_get_a_friendly_answer(heard: str, word: str) -> None:
    """Words that were not recognised get the answer that they were not understood."""
    said = await _plan(heard)
    assert isinstance(said, Say)
    assert word in said.text


async def test_a_forced_call_is_a_harmless_one_unless_the_caller_asked() -> None:
    """A forced call looks something up; it does not alert people or hang up."""
    forced = await _plan("hello", choice="required")
    assert isinstance(forced, CallTool)
    assert forced.name == "opening_hours"
    asked = await _plan("get me a human", choice="required")
    assert isinstance(asked, CallTool)
    assert asked.name == "escalate_to_human"
