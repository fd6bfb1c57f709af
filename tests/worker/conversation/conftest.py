"""A call that is under way."""

import pytest

from tests.worker.dialogue import Dialogue


@pytest.fixture
def greeted() -> Dialogue:
    """A call whose greeting has been heard."""
    dialogue = Dialogue()
    dialogue.greeted()
    return dialogue
