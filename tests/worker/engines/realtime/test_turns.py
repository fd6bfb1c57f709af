"""Turn-taking: when a response is requested, and with which tool choice."""

from typing import Any

import pytest

from worker.engines.realtime.turns import Purpose, ToolPolicy, TurnTaking


def new_turn_taking(choice: str = "auto", **settings: Any) -> TurnTaking:
    return TurnTaking(ToolPolicy(choice), "You are the front desk.", **settings)


def send_request(turn_taking: TurnTaking) -> dict[str, Any]:
    request = turn_taking.next_request()
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
    """Each policy's choice for the caller's turn, after a tool, and for prompts and goodbyes."""
    for purpose, expected in [
        (Purpose.CALLER_TURN, caller_turn),
        (Purpose.TOOL_OUTPUT, after_tool),
        (Purpose.PROMPT, "none"),
        (Purpose.FAREWELL, "none"),
    ]:
        turn_taking = new_turn_taking(choice)
        turn_taking.request(purpose)
        assert send_request(turn_taking)["response"]["tool_choice"] == expected


def test_required_once() -> None:
    """The session's choice changes when the first tool has run, and only then."""
    policy = ToolPolicy("required_once")
    assert policy.tool_ran()
    assert not policy.tool_ran()
    assert policy.for_caller_turn == "auto"
    assert not ToolPolicy("required").tool_ran()


def test_one_request_at_a_time() -> None:
    """While a response is requested or active, others are queued; then they become one request."""
    turn_taking = new_turn_taking()
    turn_taking.request(Purpose.CALLER_TURN)
    request = send_request(turn_taking)
    turn_taking.request(Purpose.TOOL_OUTPUT)
    assert turn_taking.next_request() is None
    assert turn_taking.created("r1", request["response"]["metadata"])
    turn_taking.request(Purpose.PROMPT, "Say one.")
    turn_taking.request(Purpose.PROMPT, "Say two.")
    assert turn_taking.next_request() is None
    turn_taking.done("r1", None)
    instructions = send_request(turn_taking)["response"]["instructions"]
    assert instructions == "You are the front desk.\n\nSay one.\nSay two."
    assert turn_taking.next_request() is None


def test_the_callers_turn() -> None:
    """Nothing is requested while the caller speaks or while the server is expected to answer."""
    turn_taking = new_turn_taking()
    turn_taking.request(Purpose.TOOL_OUTPUT)
    turn_taking.caller_began()
    assert turn_taking.next_request() is None
    turn_taking.caller_paused()
    assert turn_taking.next_request() is None
    turn_taking.caller_turn_committed()
    assert turn_taking.next_request() is None
    turn_taking.vad_timed_out()
    assert send_request(turn_taking)


def test_whose_response() -> None:
    """Our responses have our tag; an untagged one is ours unless the server owed the caller an answer."""
    tagged, untagged, owed = new_turn_taking(), new_turn_taking(), new_turn_taking()
    for turn_taking in (tagged, untagged, owed):
        turn_taking.request(Purpose.CALLER_TURN)
    assert tagged.created("r", send_request(tagged)["response"]["metadata"])
    send_request(untagged)
    assert untagged.created("r", None)
    send_request(owed)
    owed.caller_began()
    owed.caller_paused()
    assert not owed.created("r", None)
    assert owed.requested


def test_done_without_created() -> None:
    """Around interruptions the end of a response may come without its beginning; the turn is then free again."""
    turn_taking = new_turn_taking()
    turn_taking.request(Purpose.CALLER_TURN)
    metadata = send_request(turn_taking)["response"]["metadata"]
    assert turn_taking.done("stranger", None) is None
    assert turn_taking.requested
    assert turn_taking.done("r1", metadata)
    assert turn_taking.free


def test_silent_responses() -> None:
    """After the set number of silent responses no tool may be called until one has spoken."""
    turn_taking = new_turn_taking(max_silent_responses=2)
    choices = []
    for number in range(3):
        turn_taking.request(Purpose.TOOL_OUTPUT)
        request = send_request(turn_taking)
        choices.append(request["response"]["tool_choice"])
        turn_taking.created(f"r{number}", request["response"]["metadata"])
        turn_taking.done(f"r{number}", None)
    assert choices == ["auto", "auto", "none"]
    turn_taking.request(Purpose.TOOL_OUTPUT)
    turn_taking.created("spoken", send_request(turn_taking)["response"]["metadata"])
    turn_taking.spoke("spoken")
    turn_taking.done("spoken", None)
    turn_taking.request(Purpose.TOOL_OUTPUT)
    assert send_request(turn_taking)["response"]["tool_choice"] == "auto"
