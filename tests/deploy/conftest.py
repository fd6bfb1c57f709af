"""An AWS account for the deploy commands, which take it from the environment."""

from collections.abc import Iterator

import boto3
import pytest

from local.stack.emulator import Emulator


@pytest.fixture(scope="module")
def own_emulator() -> Iterator[Emulator]:
    """A separate emulator for each module: other tests of the session use the same names of stack and secret."""
    with Emulator() as emulator:
        yield emulator


@pytest.fixture
def account(own_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    """The emulator, set in the environment as the AWS SDK's account."""
    for name, value in own_emulator.environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # it would keep another test's environment
    return own_emulator
