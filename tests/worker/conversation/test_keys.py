"""The phone's keys."""

from tests.worker.dialogue import (
    Dialogue,
    of_type,
    only,
    requests,
    to_model,
    truncations,
)
from worker.conversation.effects import (
    ClearPlayback,
    Timer,
)


def test_keys_reach_the_model_as_text(greeted: Dialogue) -> None:
    """Presses are collected until the caller pauses, then sent as a turn of the caller."""
    for key in "12#":
        greeted.press(key)
    effects = greeted.fire(Timer.KEYPAD)
    item = only(to_model(effects, "conversation.item.create"))["item"]
    assert "1 2 #" in item["content"][0]["text"]
    assert item["role"] == "user"
    assert len(requests(effects)) == 1


def test_key_interrupts(greeted: Dialogue) -> None:
    """A key pressed while the agent speaks interrupts it; the server does not know of it, so we cancel."""
    greeted.created("r1")
    greeted.says("r1", "i1", 3000)
    effects = greeted.press("1")
    assert of_type(effects, ClearPlayback)
    assert truncations(effects) == {"i1": 0}
    assert to_model(effects, "response.cancel")
    assert not requests(greeted.fire(Timer.KEYPAD))
    assert len(requests(greeted.done("r1", "cancelled"))) == 1
