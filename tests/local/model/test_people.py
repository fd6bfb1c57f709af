"""What the front desk says of people, from the very words that the worker tells it."""

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
        (prompts.call_back_promised(can_be_called=True), "somebody will call you back."),
        (prompts.call_back_promised(can_be_called=False), "What number can somebody call you back on?"),
        (f"{prompts.taken_over('Wait.', apologise=True)}\n{prompts.person_joins('Ben')}", "Ben is joining you now."),
    ],
)
def test_call_update(told: str, said: str) -> None:
    """Whatever the worker has it tell the caller, with the name in it."""
    assert (people.call_update(told) or "").endswith(said)


@pytest.mark.parametrize("told", [prompts.GOODBYE, prompts.greeting(None), prompts.taken_over("No.", apologise=True)])
def test_no_call_update(told: str) -> None:
    """The rest is left to the front desk."""
    assert people.call_update(told) is None


def test_every_status_has_words() -> None:
    """As the tool gives it; who it is, if somebody is known."""
    for stage in Stage:
        said = people.status({"status": stage.value, "person": "Maria", "note": ""})
        assert "cannot see" not in said
    assert people.status({"status": "person_coming", "person": "Maria"}) == "Maria will join us in a moment."


def test_a_status_that_cannot_be_seen() -> None:
    """It says so, whatever was known before."""
    blind = {"status": "person_coming", "person": "Maria", "note": prompts.cannot_be_seen("Maria comes.", 8)}
    assert "cannot see" in people.status(json.loads(json.dumps(blind)))
    assert "cannot see" in people.status("what?")
