"""The AWS emulator, started once for a session; under pytest-xdist each worker process has one of its own."""

from collections.abc import Iterator

import pytest

from local.emulator import Emulator


@pytest.fixture(scope="session")
def emulator() -> Iterator[Emulator]:
    """The emulator itself, for tests that want its clients or its environment for a child process."""
    with Emulator() as emulator:
        yield emulator


@pytest.fixture(scope="session")
def aws(emulator: Emulator) -> str:
    """The emulator's endpoint URL. Nothing global is set: a test points at it what it tests."""
    return emulator.url
