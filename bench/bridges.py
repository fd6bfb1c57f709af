"""What is measured, each as a process of its own on a core of its own: the worker as it is deployed, and the floor."""

import secrets
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr
from twilio.request_validator import RequestValidator

from bench.phone import Line
from local.deployment import deploy
from local.emulator import Emulator
from local.process import HOST, Process, free_port
from local.template import Environment
from shared import stream_token

MOST_CALLS = 2000
STREAM_URL = "wss://bench.example/media-stream"  # what Twilio was told, and signs


@dataclass(frozen=True)
class Bridge:
    """A running bridge: its process, and how a phone gets through to it."""

    pid: int
    line: Line


@dataclass(frozen=True)
class Place:
    """Where bridges run and what is around them. With a `priority` above 0 they go before all usual processes."""

    core: int
    priority: int
    model_port: int
    table_port: int
    logs: Path


Starter = Callable[[], AbstractContextManager[Bridge]]


@contextmanager
def worker(place: Place) -> Iterator[Starter]:
    """Starts `python -m worker` in the environment that template.yaml gives it, as often as wanted.

    But it may hold any number of calls, since how many it can hold is the question, and the rig takes its writes.
    """
    auth_token, signing_key = secrets.token_hex(16), secrets.token_urlsafe(32)
    keys = {"TWILIO_ACCOUNT_SID": f"AC{secrets.token_hex(16)}", "TWILIO_AUTH_TOKEN": auth_token}
    with Emulator(permissions=True) as emulator:  # which resolves the template's settings, as AWS would
        deployment = deploy(
            emulator.connection,
            secrets={**keys, "OPENAI_API_KEY": "sk-bench", "SIGNING_KEY": signing_key},
            parameters={"OnCallNumbers": "+15550100301", "AlertFrom": "+15550100200"},
            environment=Environment(replaced={"STREAM_URL": STREAM_URL}),
        )
    environ = {
        **deployment.worker_environ,
        "OPENAI_BASE_URL": f"http://{HOST}:{place.model_port}/v1",
        "AWS_ENDPOINT_URL": f"http://{HOST}:{place.table_port}",
        "MAX_CALLS": str(MOST_CALLS * 2),
    }
    signature = RequestValidator(auth_token).compute_signature(STREAM_URL, {})

    @contextmanager
    def start() -> Iterator[Bridge]:
        port = free_port()
        line = Line(port, lambda call_sid: stream_token.mint(SecretStr(signing_key), call_sid), signature)
        with _running("worker", ["-m", "worker"], place, port, {**environ, "PORT": str(port)}) as pid:
            yield Bridge(pid, line)

    yield start


@contextmanager
def floor(place: Place) -> Iterator[Starter]:
    """Starts the floor, as often as wanted."""

    @contextmanager
    def start() -> Iterator[Bridge]:
        port = free_port()
        line = Line(port, lambda _call_sid: "", "")
        command = ["-m", "bench.floor", str(port), str(place.model_port)]
        with _running("floor", command, place, port, {}) as pid:
            yield Bridge(pid, line)

    yield start


BRIDGES: dict[str, Callable[[Place], AbstractContextManager[Starter]]] = {"worker": worker, "floor": floor}


@contextmanager
def _running(name: str, arguments: list[str], place: Place, port: int, environ: dict[str, str]) -> Iterator[int]:
    """A Python program in its place, from ready until the end; gives its process id."""
    log = place.logs / f"{name}.log"
    log.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        pid_file = Path(folder, "pid")
        pinned = [sys.executable, str(Path(__file__).with_name("pinned.py")), str(place.core), str(place.priority)]
        command = [*pinned, str(pid_file), sys.executable, *arguments]
        with Process(f"the {name}", command, environ=environ, log=log, port=port) as process:
            process.start("/health")
            yield int(pid_file.read_text())
