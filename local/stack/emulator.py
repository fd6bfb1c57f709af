"""AWS on this machine: ministack as a child process, on a free port, with its state in a temporary directory.

ministack serves all AWS services under one URL. It reserves `/health` for itself, and runs functions with its own
Python interpreter, which is this environment's.
"""

import shutil
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from botocore.config import Config
from typing_extensions import TypedDict

from local.stack.process import HOST, Process, free_port

REGION = "us-east-1"
ACCOUNT = "000000000000"


class Connection(TypedDict):
    """Arguments with which `boto3.client(service, **connection)` reaches the emulator and never AWS."""

    endpoint_url: str
    region_name: str
    aws_access_key_id: str
    aws_secret_access_key: str
    config: Config


class Emulator:
    """A context manager that runs the emulator. The log is kept at `log`; without it, it is deleted with the state.

    With `permissions` it enforces the caller's IAM role; the credentials of `connection` may do anything.
    """

    def __init__(self, log: Path | None = None, *, permissions: bool = False) -> None:
        self._directory = Path(tempfile.mkdtemp(prefix="bellhop-emulator-"))
        self.port = free_port()
        self._process = Process(
            "the AWS emulator",
            [sys.executable, "-m", "ministack"],
            environ={
                "BIND_HOST": HOST,
                "GATEWAY_PORT": str(self.port),
                "MINISTACK_HOST": HOST,
                "MINISTACK_REGION": REGION,
                "AUTH": str(permissions).lower(),
                "SFTP_ENABLED": "0",
                "IOT_MTLS_ENABLED": "0",
                "HOME": str(self._directory),
                "TMPDIR": str(self._directory),
                "STATE_DIR": str(self._directory / "state"),
                "S3_DATA_DIR": str(self._directory / "s3"),
                "AWS_EC2_METADATA_DISABLED": "true",
            },
            log=log or self._directory / "emulator.log",
            port=self.port,
        )

    @property
    def url(self) -> str:
        """The endpoint of every service, for `AWS_ENDPOINT_URL`."""
        return f"http://{HOST}:{self.port}"

    @property
    def connection(self) -> Connection:
        """Arguments for `boto3.client`."""
        return {
            "endpoint_url": self.url,
            "region_name": REGION,
            "aws_access_key_id": ACCOUNT,
            "aws_secret_access_key": "test",
            # On this machine an endpoint that does not answer has stopped, so a retry is useless.
            "config": Config(retries={"total_max_attempts": 1}),
        }

    @property
    def environ(self) -> dict[str, str]:
        """Environment variables with which the AWS SDK of a child process reaches the emulator."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": ACCOUNT,
            "AWS_SECRET_ACCESS_KEY": "test",
        }

    def __enter__(self) -> Self:
        try:
            self._process.start("/_ministack/ready")
        except BaseException:
            shutil.rmtree(self._directory, ignore_errors=True)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.stop()
        shutil.rmtree(self._directory, ignore_errors=True)
