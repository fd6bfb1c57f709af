"""What the front desk says about people on call, for the worker's own prompts."""

import json

import pytest

from local.model import people
from worker.conversation import prompts
from worker.conversation.escalation_progress import Stage


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (prompts.person_joins("Maria Lopez"), "Maria Lopez is joining you now."),
        (prompts.person_joins(None), "A person is joining you now."),
        (prompts.tell(prompts.person_coming("Maria Lopez")), "Maria Lopez will join us in a moment."),
        (prompts.tell(prompts.person_will_call("Ben")), "Ben will call you back."),
        (prompts.still_coming("Ben"), "Thank you for waiting. Ben is about to join us."),
        (prompts.STILL_ASKING, "I am still here. People are being asked to join us."),
        (prompts.tell(prompts.person_gone("Ben")), "I am sorry, Ben could not join us. I am asking others."),
        (prompts.returned("Ben", talked=False), "I am sorry, Ben could not join us. I am still here for you."),
        (prompts.returned("Ben", talked=True), "Welcome back. Is there anything else I can do for you?"),
        (prompts.callback_promised(can_be_called=True), "somebody will call you back."),
        (prompts.callback_promised(can_be_called=False), "What number can somebody call you back on?"),
        (f"{prompts.taken_over('Wait.', apologise=True)}\n{prompts.person_joins('Ben')}", "Ben is joining you now."),
    ],
)
def test_call_update(told: str, said: str) -> None:
    """For each of the worker's prompts, with the person's name."""
    assert (people.call_update(told) or "").endswith(said)


@pytest.mark.parametrize("told", [prompts.GOODBYE, prompts.greeting(None), prompts.taken_over("No.", apologise=True)])
def test_no_call_update(told: str) -> None:
    """Other instructions give None."""
    assert people.call_update(told) is None


def test_every_status_has_words() -> None:
    """Each status of the tool, with the person's name if there is one."""
    for stage in Stage:
        said = people.status({"status": stage.value, "person": "Maria", "note": ""})
        assert "cannot see" not in said
    assert people.status({"status": "person_coming", "person": "Maria"}) == "Maria will join us in a moment."


def test_an_unknown_status() -> None:
    """It says so, even if an older status is known."""
    blind = {"status": "person_coming", "person": "Maria", "note": prompts.cannot_be_seen("Maria comes.", 8)}
    assert "cannot see" in people.status(json.loads(json.dumps(blind)))
    assert "cannot see" in people.status("what?")
