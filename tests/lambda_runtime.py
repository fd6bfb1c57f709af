"""Runs a function's artifact with Lambda's runtime client (`awslambdaric`) against a local Lambda Runtime API.

The client's process can import the standard library, the artifact and Lambda's own libraries, and nothing else of this
environment. So a library that is missing from an artifact is missing here too.
"""

import importlib.util
import json
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

# https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
API = "/2018-06-01/runtime"
ANSWERED_WITHIN_S = 60

# The libraries of Lambda's Python runtime: its client, and boto3 with its dependencies.
PROVIDED = ("awslambdaric", "runtime_client", "simplejson", "snapshot_restore_py")
PROVIDED_SDK = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "urllib3", "six")


class FunctionFailed(Exception):
    """The function raised or did not start; the message is its error report to the API, or the end of its log."""


def runtime_folder(folder: Path) -> Path:
    """Fills `folder` with links to Lambda's own libraries, and returns it."""
    for name in (*PROVIDED, *PROVIDED_SDK):
        spec = importlib.util.find_spec(name)
        assert spec is not None, f"{name} is not installed"
        assert spec.origin is not None
        origin = Path(spec.origin)
        target = origin.parent if origin.name == "__init__.py" else origin
        (folder / target.name).symlink_to(target)
    return folder


class LambdaRuntime:
    """One execution environment of a function, as a context manager; the first `invoke` is its cold start.

    Args:
        artifact: the folder that `sam build` made for the function.
        runtime: a folder filled by `runtime_folder`.
        handler: such as `functions.voice.app.handler`.
        environ: all of the function's environment variables.
    """

    def __init__(self, artifact: Path, runtime: Path, handler: str, environ: Mapping[str, str]) -> None:
        self._artifact, self._runtime, self._handler, self._environ = artifact, runtime, handler, environ
        self._events: queue.Queue[bytes] = queue.Queue()
        self._answers: queue.Queue[tuple[str, bytes]] = queue.Queue()
        self._api = _RuntimeApi(self._events, self._answers)
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - this class is its context manager

    def __enter__(self) -> Self:
        threading.Thread(target=self._api.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        # -S: no site-packages. As in Lambda, the artifact comes first in the path and the runtime's libraries last.
        self._process = subprocess.Popen(
            [sys.executable, "-S", "-m", "awslambdaric", self._handler],
            cwd=self._artifact,
            env={
                "PYTHONPATH": f"{self._artifact}:{self._runtime}",
                "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self._api.server_port}",
                "AWS_LAMBDA_FUNCTION_NAME": "bellhop",
                "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1769",
                "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
                "LAMBDA_TASK_ROOT": str(self._artifact),
                "PYTHONDONTWRITEBYTECODE": "1",  # /var/task cannot be written to
                "AWS_EC2_METADATA_DISABLED": "true",
                **self._environ,
            },
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        self._api.shutdown()
        self._api.server_close()
        self._log.close()

    def log(self) -> str:
        """What the function has written so far."""
        self._log.seek(0)
        return self._log.read().decode()

    def invoke(self, event: Mapping[str, Any]) -> Any:
        """The function's answer to one event; raises FunctionFailed."""
        self._events.put(json.dumps(event).encode())
        try:
            outcome, body = self._answers.get(timeout=ANSWERED_WITHIN_S)
        except queue.Empty:
            raise FunctionFailed(f"no answer within {ANSWERED_WITHIN_S} s\n{self.log()[-2000:]}") from None
        if outcome != "response":
            raise FunctionFailed(body.decode())
        return json.loads(body)


def imports(
    artifact: Path, runtime: Path, handler: str, environ: Mapping[str, str], event: Mapping[str, Any]
) -> list[str]:
    """The modules that a function imports until its first answer, with those of the runtime client."""
    with LambdaRuntime(artifact, runtime, handler, {**environ, "PYTHONPROFILEIMPORTTIME": "1"}) as function:
        function.invoke(event)
        lines = [line for line in function.log().splitlines() if line.startswith("import time:")]
    return [line.rpartition("|")[2].strip() for line in lines[1:]]  # the first line is a heading


class _RuntimeApi(ThreadingHTTPServer):
    """Hands out events and takes answers, over HTTP as Lambda does."""

    daemon_threads = True
    block_on_close = False  # a killed client leaves its `next` request open

    def __init__(self, events: "queue.Queue[bytes]", answers: "queue.Queue[tuple[str, bytes]]") -> None:
        super().__init__(("127.0.0.1", 0), _Exchange)
        self.events, self.answers, self.requests = events, answers, 0

    def handle_error(self, request: object, client_address: object) -> None:
        if not isinstance(sys.exception(), ConnectionError):  # caused by a killed client
            super().handle_error(request, client_address)  # type: ignore[arg-type] # the arguments of this call


class _Exchange(BaseHTTPRequestHandler):
    server: _RuntimeApi
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or each answer waits 40 ms for an acknowledgement

    def do_GET(self) -> None:
        event = self.server.events.get()
        self.server.requests += 1
        self.send_response(200)
        self.send_header("Lambda-Runtime-Aws-Request-Id", f"request-{self.server.requests}")
        self.send_header("Lambda-Runtime-Deadline-Ms", "4102444800000")
        self.send_header(
            "Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:000000000000:function:bellhop"
        )
        self._send(event)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        # The path ends in "response" to an event, or in "error", in an event or at the start.
        self.server.answers.put((self.path.removeprefix(API).rpartition("/")[2], body))
        self.send_response(202)
        self._send(b"{}")

    def _send(self, body: bytes) -> None:
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # the base class has this name
        """Logs nothing."""
