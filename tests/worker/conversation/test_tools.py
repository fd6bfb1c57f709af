"""Every function call gets one output, and all calls of one response get one reply."""

from tests.worker.dialogue import (
    Dialogue,
    of_type,
    only,
    outputs,
    requests,
)
from worker.conversation.effects import (
    RunTool,
    ToolFinished,
)
from worker.engines.realtime import events
from worker.engines.realtime.events import Item


def test_tool_call(greeted: Dialogue) -> None:
    """A tool runs once, its output is sent once, and one response is requested after the calling one."""
    greeted.caller_turn()
    greeted.created("r1")
    started = only(of_type(greeted.calls("r1", "c1", "opening_hours", '{"day": "sunday"}'), RunTool))
    assert (started.name, started.arguments) == ("opening_hours", '{"day": "sunday"}')
    assert not greeted.calls("r1", "c1", "opening_hours", '{"day": "sunday"}')
    assert outputs(greeted.feed(ToolFinished("c1", "closed"))) == {"c1": "closed"}
    assert not greeted.feed(ToolFinished("c1", "again"))
    request = only(requests(greeted.done("r1")))
    assert request["response"]["tool_choice"] == "auto"


def test_two_tools_one_response(greeted: Dialogue) -> None:
    """Both calls of a response are answered before one response to both outputs is requested."""
    greeted.created("r1")
    greeted.calls("r1", "c1", "opening_hours")
    greeted.calls("r1", "c2", "book_room", '{"nights": 2}')
    greeted.done("r1")
    assert not requests(greeted.feed(ToolFinished("c2", "booked")))
    assert len(requests(greeted.feed(ToolFinished("c1", "always")))) == 1


def test_interrupted_arguments(greeted: Dialogue) -> None:
    """A function call that was cut off is not run."""
    greeted.created("r1")
    item = Item("i", "function_call", status="incomplete", name="opening_hours", call_id="c1", arguments='{"da')
    assert not greeted.feed(events.OutputItemDone("r1", item))


def test_tool_finishes_while_the_caller_speaks(greeted: Dialogue) -> None:
    """The output is sent at once; the server's response to the caller's turn includes it."""
    greeted.created("r1")
    greeted.calls("r1", "c1", "opening_hours")
    greeted.done("r1")
    greeted.caller_speaks()
    effects = greeted.feed(ToolFinished("c1", "always"))
    assert outputs(effects)
    assert not requests(effects)
    greeted.output_added("c1")
    greeted.feed(events.SpeechStopped())
    assert not requests(greeted.feed(events.Committed()))
    greeted.created("r2")
    assert not requests(greeted.done("r2"))


def test_output_too_late_for_the_servers_response(greeted: Dialogue) -> None:
    """A response that began before the output was added does not include it, so another one is requested."""
    greeted.created("r1")
    greeted.calls("r1", "c1", "opening_hours")
    greeted.done("r1")
    greeted.caller_turn()
    greeted.created("r2")
    greeted.feed(ToolFinished("c1", "always"))
    assert len(requests(greeted.done("r2"))) == 1
