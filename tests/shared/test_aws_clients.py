"""The AWS clients."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from shared import aws_clients
from shared.aws_clients import ATTEMPTS, CONNECT_TIMEOUT_S, READ_TIMEOUT_S, client, translate_errors


@pytest.fixture
def no_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    """Starts without clients, with a region set."""
    monkeypatch.setattr(aws_clients, "_clients", {})
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")


@pytest.mark.usefixtures("no_clients")
class TestClient:
    """client"""

    def test_one_per_service(self) -> None:
        """Concurrent threads get the same client."""
        with ThreadPoolExecutor(8) as threads:
            clients = list(threads.map(lambda _: client("sqs"), range(8)))
        assert all(other is clients[0] for other in clients)
        assert client("dynamodb") is client("dynamodb")
        assert client("dynamodb").meta.service_model.service_name == "dynamodb"

    def test_the_region_is_the_one_that_every_sdk_reads(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """boto3 alone reads AWS_DEFAULT_REGION only, which a container may lack."""
        monkeypatch.delenv("AWS_DEFAULT_REGION")
        monkeypatch.setenv("AWS_REGION", "eu-central-1")
        assert client("sqs").meta.region_name == "eu-central-1"

    def test_limits(self) -> None:
        """Two attempts and the backoff stay under 8 s, which a caller can wait."""
        config: Any = client("sqs").meta.config  # botocore's stubs leave its options out
        assert (config.connect_timeout, config.read_timeout) == (CONNECT_TIMEOUT_S, READ_TIMEOUT_S)
        assert config.retries == {"mode": "standard", "total_max_attempts": ATTEMPTS}
        assert ATTEMPTS * (CONNECT_TIMEOUT_S + READ_TIMEOUT_S) + 1 < 8


def test_the_sdk_is_imported_when_it_is_needed() -> None:
    """Importing these modules does not import boto3."""
    code = (
        "import sys, shared.aws_clients, shared.calls.store, shared.escalations.store, shared.escalations.queue\n"
        "print([name for name in ('boto3', 'botocore.session', 'twilio.rest', 'requests') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_other_failures_pass() -> None:
    """Only exceptions of the AWS SDK are translated; others stay as they are."""
    with pytest.raises(ZeroDivisionError), translate_errors(OSError, "dividing"):
        _ = 1 / 0
