"""Starts `python -m worker` as a program with its own environment."""

import asyncio
import subprocess
import sys
from typing import Any

from local.stack.process import REPOSITORY
from local.stack.simulation import HOTEL
from tests.worker.conftest import AUTH_TOKEN, SIGNING_KEY

ENVIRON = {
    "AGENTS_DIR": str(HOTEL),
    "TABLE_NAME": "table",
    "ESCALATION_QUEUE_URL": "https://sqs.example/queue",
    "OPENAI_API_KEY": "sk-test",
    "TWILIO_AUTH_TOKEN": AUTH_TOKEN,
    "STREAM_URL": "wss://worker.example/media-stream",
    "SIGNING_KEY": SIGNING_KEY.get_secret_value(),
    "SESSION_POOL_SIZE": "0",
    "MAX_LAG_MS": "60000",
    "DRAIN_S": "0",
    "AWS_REGION": "us-east-1",
}


def worker(output: Any, *arguments: str, **environ: str) -> subprocess.Popen[bytes]:
    """Starts the program; its stdout and stderr go to `output`."""
    variables = {**ENVIRON, "PYTHONUNBUFFERED": "1", **environ}
    command = [sys.executable, "-m", "worker", *arguments]
    return subprocess.Popen(command, cwd=REPOSITORY, env=variables, stdout=output, stderr=subprocess.STDOUT)


async def health(port: int) -> int:
    """The status of `/health` on a port of this machine."""
    async with asyncio.timeout(20):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /health HTTP/1.1\r\nHost: worker\r\n\r\n")
        status = int((await reader.read()).split()[1])
        writer.close()
        return status
