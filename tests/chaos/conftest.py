"""One stack for all chaos tests of a session."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from local.chaos.system import ChaosSystem, system


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chaotic(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ChaosSystem]:
    """A stack with two workers and its simulated services."""
    async with system(tmp_path_factory.mktemp("chaos")) as made:
        yield made
