"""When a tool must, may or must not be called; in the end the agent always speaks."""

import pytest

from tests.worker.dialogue import (
    MU_LAW,
    Dialogue,
    only,
    requests,
    to_model,
)
from worker.conversation.effects import (
    ToolFinished,
)
from worker.engines.realtime import events


@pytest.mark.parametrize("choice", ["required", "opening_hours"])
def test_forced_tool(choice: str) -> None:
    """The session forces a tool for every caller's turn, but not for the reply after it, so the agent speaks."""
    dialogue = Dialogue(tool_choice=choice)
    dialogue.feed(events.SessionCreated(events.NewSession()))
    session = only(to_model(dialogue.effects, "session.update"))["session"]
    assert session["tool_choice"] == (choice if choice == "required" else {"type": "function", "name": choice})
    request = only(requests(dialogue.feed(events.SessionUpdated(MU_LAW))))
    assert request["response"]["tool_choice"] == "none"
    dialogue.created("greeting", answers=request)
    dialogue.says("greeting", "hello", 500)
    dialogue.done("greeting")
    for turn in range(3):
        dialogue.caller_turn(f"u{turn}")
        dialogue.created(f"r{turn}")
        dialogue.calls(f"r{turn}", f"c{turn}", "opening_hours")
        dialogue.feed(ToolFinished(f"c{turn}", "always"))
        request = only(requests(dialogue.done(f"r{turn}")))
        assert request["response"]["tool_choice"] == "auto"
        dialogue.created(f"s{turn}", answers=request)
        dialogue.says(f"s{turn}", f"i{turn}", 500)
        dialogue.done(f"s{turn}")
    assert len(to_model(dialogue.effects, "session.update")) == 1


def test_required_once() -> None:
    """After the first tool has run, the session's tool choice is set to `auto`, and nothing else."""
    dialogue = Dialogue(tool_choice="required_once")
    dialogue.greeted()
    assert to_model(dialogue.effects, "session.update")[0]["session"]["tool_choice"] == "required"
    dialogue.caller_turn()
    dialogue.created("r1")
    dialogue.calls("r1", "c1", "opening_hours")
    update = only(to_model(dialogue.feed(ToolFinished("c1", "always")), "session.update"))
    assert update["session"] == {"type": "realtime", "tool_choice": "auto"}
    dialogue.calls("r1", "c2", "opening_hours")
    assert not to_model(dialogue.feed(ToolFinished("c2", "always")), "session.update")


def test_limit_on_silent_responses() -> None:
    """After the set number of consecutive silent responses the model must speak without a tool."""
    dialogue = Dialogue(limits={"max_silent_responses": 3})
    dialogue.greeted()
    dialogue.caller_turn()
    dialogue.created("r0")
    choices = []
    for turn in range(4):
        dialogue.calls(f"r{turn}", f"c{turn}", "opening_hours")
        dialogue.feed(ToolFinished(f"c{turn}", "always"))
        request = only(requests(dialogue.done(f"r{turn}")))
        choices.append(request["response"]["tool_choice"])
        dialogue.created(f"r{turn + 1}", answers=request)
    assert choices == ["auto", "auto", "none", "none"]
