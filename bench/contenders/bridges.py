"""The bridges to measure, each a process on its own core: the deployed worker, the floor, and alternatives."""

import secrets
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from pydantic import SecretStr
from twilio.request_validator import RequestValidator

from bench.rig.certificate import Certificate
from bench.rig.phone import Line
from local.stack.deployment import deploy
from local.stack.emulator import Emulator
from local.stack.process import HOST, REPOSITORY, Process, free_port
from local.stack.simulation import HOTEL
from local.stack.template import Environment
from shared.calls import stream_token

MOST_CALLS: Final = 2000
STREAM_URL: Final = "wss://bench.example/media-stream"  # the public URL, which Twilio signs


@dataclass(frozen=True)
class Bridge:
    """A running bridge: its process, and how a phone connects to it."""

    pid: int
    line: Line


@dataclass(frozen=True)
class Place:
    """Where a bridge runs and its surroundings. A `priority` above 0 is real-time, ahead of all normal processes."""

    core: int
    priority: int
    model_port: int
    table_port: int
    logs: Path
    certificate: Certificate

    def environ(self, *, tls: bool) -> dict[str, str]:
        """The environment variables for the model's address, key and certificate authority."""
        url = f"http{'s' if tls else ''}://{HOST}:{self.model_port}/v1"
        return {
            "OPENAI_BASE_URL": url,
            "OPENAI_API_KEY": "sk-bench",
            "SSL_CERT_FILE": str(self.certificate.authority),
        }


Starter = Callable[[bool], AbstractContextManager[Bridge]]  # its argument: whether the model uses TLS


@dataclass(frozen=True)
class Kind:
    """A kind of bridge. With `clicks`, its audio is followed by clicks, since resampling destroys stamps."""

    starter: Callable[[Place], AbstractContextManager[Starter]]
    python: Path = Path(sys.executable)
    clicks: bool = False
    most_calls: int = MOST_CALLS

    @property
    def is_installed(self) -> bool:
        return self.python.exists()


@contextmanager
def _worker(place: Place) -> Iterator[Starter]:
    """Gives a starter of `python -m worker` with the environment from template.yaml, usable several times.

    Two settings differ: its limit of calls is raised, since the limit is to be measured, and the rig's table stand-in
    takes its writes.
    """
    auth_token, signing_key = secrets.token_hex(16), secrets.token_urlsafe(32)
    keys = {"TWILIO_ACCOUNT_SID": f"AC{secrets.token_hex(16)}", "TWILIO_AUTH_TOKEN": auth_token}
    with Emulator(permissions=True) as emulator:  # it resolves the template's settings, like AWS
        deployment = deploy(
            emulator.connection,
            secrets={**keys, "OPENAI_API_KEY": "sk-bench", "SIGNING_KEY": signing_key},
            parameters={"OnCallNumbers": "+15550100301", "AlertFrom": "+15550100200"},
            environment=Environment(replaced={"STREAM_URL": STREAM_URL}),
        )
    own = {
        "AGENTS_DIR": str(HOTEL),
        "AWS_ENDPOINT_URL": f"http://{HOST}:{place.table_port}",
        "MAX_CALLS": str(MOST_CALLS * 2),
    }
    signature = RequestValidator(auth_token).compute_signature(STREAM_URL, {})

    @contextmanager
    def start(tls: bool) -> Iterator[Bridge]:  # noqa: FBT001 - a Starter has one question
        port = free_port()
        line = Line(port, lambda call_sid: stream_token.sign(SecretStr(signing_key), call_sid), signature)
        environ = {**deployment.worker_environ, **place.environ(tls=tls), **own, "PORT": str(port)}
        with _running("worker", [sys.executable, "-m", "worker"], place, port, environ) as pid:
            yield Bridge(pid, line)

    yield start


@contextmanager
def _program(module: str, python: Path, place: Place) -> Iterator[Starter]:
    """Gives a starter of a bridge that needs only its port and the model's address."""

    @contextmanager
    def start(tls: bool) -> Iterator[Bridge]:  # noqa: FBT001 - a Starter has one question
        port = free_port()
        environ = {**place.environ(tls=tls), "LOGURU_LEVEL": "WARNING", "OPENAI_AGENTS_DISABLE_TRACING": "1"}
        name = module.rpartition(".")[2]
        with _running(name, [str(python), "-m", module, str(port)], place, port, environ) as pid:
            yield Bridge(pid, Line(port, lambda _call_sid: "", ""))

    yield start


def _contender(module: str, environment: str, *, clicks: bool = False, most_calls: int = MOST_CALLS) -> Kind:
    python = REPOSITORY / f".venv-bench-{environment}" / "bin" / "python"
    return Kind(partial(_program, f"bench.contenders.{module}", python), python, clicks, most_calls)


BRIDGES: Final[Mapping[str, Kind]] = {
    "worker": Kind(_worker),
    "floor": Kind(partial(_program, "bench.contenders.floor", Path(sys.executable))),
    "forum": _contender("forum", "forum"),
    "twilio-sample": _contender("twilio_sample", "forum"),
    "agents-sdk": _contender("agents_sdk", "agents"),
    "pipecat": _contender("pipecat_bot", "pipecat", clicks=True, most_calls=40),
}


@contextmanager
def _running(name: str, command: list[str], place: Place, port: int, environ: dict[str, str]) -> Iterator[int]:
    """Runs a program on its core while the context lasts; yields its process id once it is ready."""
    log = place.logs / f"{name}.log"
    log.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        pid_file = Path(folder, "pid")
        pinned = [sys.executable, str(Path(__file__).with_name("pinned.py")), str(place.core), str(place.priority)]
        with Process(f"the {name}", [*pinned, str(pid_file), *command], environ=environ, log=log, port=port) as process:
            process.start("/health")
            yield int(pid_file.read_text())
