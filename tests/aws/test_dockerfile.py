"""The worker's image, built step by step without a Docker engine.

Each instruction of the first stage is carried out unchanged, in a separate folder and with a separate Python. The
result has the image's contents, but for this machine's platform instead of Fargate's.
"""

import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from local.stack.process import REPOSITORY, free_port
from local.stack.simulation import HOTEL

DOCKERFILE = REPOSITORY / "worker" / "Dockerfile"
ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the image's wheels are Linux ones")


def instructions() -> list[list[tuple[str, str]]]:
    """The Dockerfile's stages, each a list of instructions and their arguments."""
    text = re.sub(r"^#.*\n", "", DOCKERFILE.read_text(), flags=re.MULTILINE).replace("\\\n", "")
    stages: list[list[tuple[str, str]]] = []
    for line in filter(None, text.splitlines()):
        name, _, rest = line.partition(" ")
        if name == "FROM":
            stages.append([])
        stages[-1].append((name, rest.strip()))
    return stages


@dataclass
class Image:
    """A stage that is being built: its root folder, and the environment of RUN."""

    root: Path
    environ: dict[str, str]
    arguments: dict[str, str]
    folder: Path = field(default=Path("/"))

    def inside(self, path: str) -> Path:
        """The path on this machine of a path in the image."""
        return self.root / Path(self.folder, path).relative_to("/")

    def carry_out(self, name: str, rest: str) -> None:
        """Carries out one instruction."""
        match name:
            case "FROM":
                return
            case "ARG":
                argument, _, value = rest.partition("=")
                self.arguments.setdefault(argument, value)
            case "ENV":
                self.environ |= dict(pair.split("=", 1) for pair in rest.split())
            case "WORKDIR":
                self.folder = Path(rest)
                self.inside(".").mkdir(parents=True)
            case "COPY":
                *sources, target = rest.split()
                for source in sources:
                    self._copy(source, self.inside(target))
            case "RUN":
                environ = {**self.environ, **self.arguments}
                subprocess.run(["/bin/sh", "-c", rest], cwd=self.inside("."), env=environ, check=True, timeout=300)
            case _:
                raise AssertionError(f"no test knows how to carry out {name}")

    def _copy(self, source: str, target: Path) -> None:
        ignored = shutil.ignore_patterns("__pycache__", "Dockerfile")  # as .dockerignore says
        if Path(REPOSITORY, source).is_dir():
            shutil.copytree(REPOSITORY / source, target, ignore=ignored)
        else:
            shutil.copy(REPOSITORY / source, target)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    """The first stage, built."""
    root = tmp_path_factory.mktemp("image")
    subprocess.run([sys.executable, "-m", "venv", root / "usr"], check=True, timeout=120)
    # The first stage's Python, pip and uv are its own; the certificates and the index are this machine's.
    ours = {name: value for name, value in os.environ.items() if re.match(r"PIP_|UV_|SSL_|REQUESTS_|HTTPS?_", name)}
    environ = {
        **ours,
        "PATH": f"{root}/usr/bin:/usr/bin:/bin",
        "HOME": str(root),
        "UV_PYTHON": f"{root}/usr/bin/python",
    }
    image = Image(root, environ, {"TARGETARCH": ARCHITECTURES[platform.machine()]})
    for name, rest in instructions()[0]:
        image.carry_out(name, rest)
    yield image
    shutil.rmtree(root)


def test_hadolint_finds_no_fault() -> None:
    """Hadolint finds common mistakes in a Dockerfile."""
    command = [Path(sys.executable).with_name("hadolint"), DOCKERFILE]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_image_holds_the_worker_and_nothing_else(image: Image) -> None:
    """It has no functions, tests or tools, and only the worker's libraries."""
    assert {entry.name for entry in image.inside(".").iterdir()} == {
        ".venv",
        "pyproject.toml",
        "uv.lock",
        "agents",
        "shared",
        "worker",
    }
    [packages] = image.inside(".").glob(".venv/lib/python*/site-packages")
    names = {entry.name for entry in packages.iterdir()}
    assert {"websockets", "uvloop", "msgspec", "boto3", "pydantic"} <= names
    assert not {"fastapi", "mangum", "pytest", "openai"} & names


def test_the_image_has_bytecode(image: Image) -> None:
    """A read-only root cannot store bytecode, so each start would compile everything."""
    for folder in ("agents", "shared", "worker"):
        for source in image.inside(folder).rglob("*.py"):
            assert list(source.parent.glob(f"__pycache__/{source.stem}.*.pyc")), source


def last_stage() -> dict[str, str]:
    """The last stage's instructions, each of which occurs once."""
    return dict(instructions()[-1])


@contextmanager
def running(image: Image, command: str, environ: dict[str, str]) -> Iterator["subprocess.Popen[bytes]"]:
    """Runs a command of the Dockerfile (a JSON list) as the container would, but as this user."""
    arguments = json.loads(command)
    path = f"{image.inside('.')}/.venv/bin"
    with subprocess.Popen(
        [f"{path}/{arguments[0]}", *arguments[1:]],
        cwd=image.inside("."),
        env={"PATH": path, "PYTHONDONTWRITEBYTECODE": "1", **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_the_last_stage_has_no_root_and_no_shell() -> None:
    """The command is a list, and the user a number, because Kubernetes and ECS cannot check a name."""
    stage = last_stage()
    assert stage["USER"] == "10001:10001"
    assert "RUN" not in stage, "building for another machine would need an emulator"
    assert stage["ENTRYPOINT"] == '["python", "-m", "worker"]'
    assert stage["HEALTHCHECK"].endswith('CMD ["python", "-m", "worker.service.healthcheck"]')


def test_the_worker_starts_and_its_health_check_says_so(image: Image) -> None:
    """It is unhealthy before it listens and healthy afterwards, and it stops on SIGTERM.

    The agents are in the image's own folder. The test uses the demo's, because the user's may need other libraries.
    """
    shutil.rmtree(image.inside("agents"))
    shutil.copytree(HOTEL, image.inside("agents"))
    environ = {
        "PORT": str(free_port()),
        "OPENAI_API_KEY": "sk-none",
        "TWILIO_AUTH_TOKEN": "0" * 32,
        "STREAM_URL": "wss://worker.example.com/media-stream",
        "SIGNING_KEY": "1" * 32,
        "ESCALATION_QUEUE_URL": "http://127.0.0.1:1/queue",
        "TABLE_NAME": "table",
        "AWS_REGION": "us-east-1",
    }
    check = last_stage()["HEALTHCHECK"].partition(" CMD ")[2]
    with running(image, check, environ) as unhealthy:
        assert unhealthy.wait(timeout=60) == 1
    with running(image, last_stage()["ENTRYPOINT"], environ) as worker:
        assert worker.stdout is not None
        log = [worker.stdout.readline()]
        while log[-1] and b"worker ready" not in log[-1]:
            log.append(worker.stdout.readline())
        assert log[-1], b"".join(log).decode()
        with running(image, check, environ) as healthy:
            assert healthy.wait(timeout=60) == 0
        worker.terminate()
        assert worker.wait(timeout=60) == 0


def test_versions_are_those_of_the_makefile() -> None:
    """The three files name the same versions of uv and Python."""
    makefile, dockerfile = (REPOSITORY / "Makefile").read_text(), DOCKERFILE.read_text()
    found = re.search(r"^UV_VERSION := (\S+)$", makefile, re.MULTILINE)
    assert found is not None
    assert f"ARG UV_VERSION={found[1]}\n" in dockerfile
    runtime = re.search(r"Runtime: python(\S+)", (REPOSITORY / "template.yaml").read_text())
    assert runtime is not None
    assert dockerfile.count(f"python:{runtime[1]}-slim") == 2
    assert f"LAMBDA_PYTHON ?= {runtime[1]}\n" in makefile
