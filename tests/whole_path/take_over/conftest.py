"""What every story of a take-over needs: people on call, and an agent who fetches them."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.whole_path.conftest import System
from tests.whole_path.on_call import on_call
from tests.whole_path.take_over.people import roster
from tests.whole_path.take_over.stories import Agent


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def everybody(own_stage: System) -> AsyncIterator[None]:
    """The people of `people.py` are on call."""
    async with on_call(own_stage, roster(), "AlertsFunction", "DeskFunction"):
        yield


@pytest.fixture(autouse=True)
def agents(system: System) -> None:
    """Whoever calls speaks with such an agent."""
    system.models.makes = Agent
