"""Who may speak next, and with which tool choice."""

from typing import Any

import pytest

from worker.engines.realtime.turns import Purpose, ToolPolicy, TurnTaking


def turns(choice: str = "auto", **settings: Any) -> TurnTaking:
    return TurnTaking(ToolPolicy(choice), "You are the front desk.", **settings)


def ask(floor: TurnTaking) -> dict[str, Any]:
    request = floor.next_request()
    assert request
    return request


@pytest.mark.parametrize(
    ("choice", "caller_turn", "after_tool"),
    [
        ("auto", "auto", "auto"),
        ("none", "none", "none"),
        ("required", "required", "auto"),
        ("required_once", "required", "auto"),
        ("book", {"type": "function", "name": "book"}, "auto"),
    ],
)
def test_tool_choice(choice: str, caller_turn: Any, after_tool: str) -> None:
    """What each policy asks for the caller's turn, after a tool, and for words of our own."""
    for reason, expected in [
        (Purpose.CALLER_TURN, caller_turn),
        (Purpose.TOOL_OUTPUT, after_tool),
        (Purpose.PROMPT, "none"),
        (Purpose.FAREWELL, "none"),
    ]:
        floor = turns(choice)
        floor.request(reason)
        assert ask(floor)["response"]["tool_choice"] == expected


def test_required_once() -> None:
    """The session's choice changes when the first tool has run, and only then."""
    policy = ToolPolicy("required_once")
    assert policy.tool_ran()
    assert not policy.tool_ran()
    assert policy.for_caller_turn == "auto"
    assert not ToolPolicy("required").tool_ran()


def test_one_request_at_a_time() -> None:
    """Asked for or active, the floor is taken; what is wanted waits and is asked for in one."""
    floor = turns()
    floor.request(Purpose.CALLER_TURN)
    request = ask(floor)
    floor.request(Purpose.TOOL_OUTPUT)
    assert floor.next_request() is None
    assert floor.created("r1", request["response"]["metadata"])
    floor.request(Purpose.PROMPT, "Say one.")
    floor.request(Purpose.PROMPT, "Say two.")
    assert floor.next_request() is None
    floor.done("r1", None)
    instructions = ask(floor)["response"]["instructions"]
    assert instructions == "You are the front desk.\n\nSay one.\nSay two."
    assert floor.next_request() is None


def test_the_caller_has_the_floor() -> None:
    """Nothing is asked for while the caller speaks, nor while the server is about to answer."""
    floor = turns()
    floor.request(Purpose.TOOL_OUTPUT)
    floor.caller_began()
    assert floor.next_request() is None
    floor.caller_paused()
    assert floor.next_request() is None
    floor.caller_turn_committed()
    assert floor.next_request() is None
    floor.vad_timed_out()
    assert ask(floor)


def test_whose_response() -> None:
    """Ours carries our tag; an untagged one is ours unless the server owed the caller an answer."""
    tagged, untagged, owed = turns(), turns(), turns()
    for floor in (tagged, untagged, owed):
        floor.request(Purpose.CALLER_TURN)
    assert tagged.created("r", ask(tagged)["response"]["metadata"])
    ask(untagged)
    assert untagged.created("r", None)
    ask(owed)
    owed.caller_began()
    owed.caller_paused()
    assert not owed.created("r", None)
    assert owed.requested


def test_done_without_created() -> None:
    """Around interruptions a response may end that never began; ours then still frees the floor."""
    floor = turns()
    floor.request(Purpose.CALLER_TURN)
    metadata = ask(floor)["response"]["metadata"]
    assert floor.done("stranger", None) is None
    assert floor.requested
    assert floor.done("r1", metadata)
    assert floor.free


def test_silent_responses() -> None:
    """After the set number of responses without a word no tool may be called, until one has spoken."""
    floor = turns(max_silent_responses=2)
    choices = []
    for number in range(3):
        floor.request(Purpose.TOOL_OUTPUT)
        request = ask(floor)
        choices.append(request["response"]["tool_choice"])
        floor.created(f"r{number}", request["response"]["metadata"])
        floor.done(f"r{number}", None)
    assert choices == ["auto", "auto", "none"]
    floor.request(Purpose.TOOL_OUTPUT)
    floor.created("spoken", ask(floor)["response"]["metadata"])
    floor.spoke("spoken")
    floor.done("spoken", None)
    floor.request(Purpose.TOOL_OUTPUT)
    assert ask(floor)["response"]["tool_choice"] == "auto"
