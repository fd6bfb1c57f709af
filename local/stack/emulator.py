"""AWS on this machine: ministack as a child process, on a free port, with its state in a directory that goes with it.

ministack answers under one URL for every service. It keeps `/health` for itself, and runs functions under its own
interpreter, which is this environment's.
"""

import shutil
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self, TypedDict

from botocore.config import Config

from local.stack.process import HOST, Process, free_port

REGION = "us-east-1"
ACCOUNT = "000000000000"


class Connection(TypedDict):
    """What `boto3.client(service, **connection)` takes to reach the emulator and nothing else."""

    endpoint_url: str
    region_name: str
    aws_access_key_id: str
    aws_secret_access_key: str
    config: Config


class Emulator:
    """A context manager; `url` is good inside of it. Its log is kept at `log`, else it goes with the state.

    With `permissions` it refuses what a caller's role does not allow; the credentials of `connection` may do anything.
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
        """The endpoint of every service, as `AWS_ENDPOINT_URL` wants it."""
        return f"http://{HOST}:{self.port}"

    @property
    def connection(self) -> Connection:
        """Arguments for `boto3.client`."""
        return {
            "endpoint_url": self.url,
            "region_name": REGION,
            "aws_access_key_id": ACCOUNT,
            "aws_secret_access_key": "test",
            # It is on this machine: it answers, or it was stopped.
            "config": Config(retries={"total_max_attempts": 1}),
        }

    @property
    def environ(self) -> dict[str, str]:
        """The environment under which the AWS SDK of a child process reaches the emulator."""
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
