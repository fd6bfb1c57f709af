"""An AWS account for the deploy commands, which know no other than the environment's."""

from collections.abc import Iterator

import boto3
import pytest

from local.stack.emulator import Emulator


@pytest.fixture(scope="module")
def own_emulator() -> Iterator[Emulator]:
    """An emulator of the module's own: the stack and its secret have one name, and others of the session use it too."""
    with Emulator() as emulator:
        yield emulator


@pytest.fixture
def account(own_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    """The emulator, as the account that the AWS SDK finds in the environment."""
    for name, value in own_emulator.environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # which would remember another test's environment
    return own_emulator
