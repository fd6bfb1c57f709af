"""Fixtures of the take-over tests: people on call, and an agent that asks for a person."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.whole_path.conftest import System
from tests.whole_path.on_call import on_call
from tests.whole_path.take_over.people import roster
from tests.whole_path.take_over.stories import Agent


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def everybody(shared_system: System) -> AsyncIterator[None]:
    """Puts the people of `people.py` on call."""
    async with on_call(shared_system, roster(), "AlertsFunction", "DeskFunction"):
        yield


@pytest.fixture(autouse=True)
def agents(system: System) -> None:
    """Makes every caller speak with this agent."""
    system.models.makes = Agent
