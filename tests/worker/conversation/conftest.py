"""A call for the tests."""

import pytest

from tests.worker.dialogue import Dialogue


@pytest.fixture
def greeted() -> Dialogue:
    """A call whose caller has heard the greeting."""
    dialogue = Dialogue()
    dialogue.greeted()
    return dialogue
