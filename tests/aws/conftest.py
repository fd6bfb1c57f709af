"""The functions' artifacts, as `sam build` makes them, but for this machine instead of Lambda's."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from local.stack.process import REPOSITORY
from tests.lambda_runtime import runtime_folder

SAM = REPOSITORY / ".venv-sam" / "bin" / "sam"
RUNNING = f"{sys.version_info.major}.{sys.version_info.minor}"


def sam_build(folder: Path, **variables: str) -> Path:
    """Runs `sam build` with variables of the Makefile; returns the folder, which has a folder for each function."""
    assert SAM.exists(), "SAM is not installed: make setup-sam"
    environ = {**os.environ, "SAM_CLI_TELEMETRY": "0", "AWS_DEFAULT_REGION": "us-east-1", **variables}
    done = subprocess.run(
        [SAM, "build", "--build-dir", folder],
        cwd=REPOSITORY,
        env=environ,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def make_forum_function(folder: Path, **variables: str) -> Path:
    """Builds the function that the voice function is compared with; returns its folder."""
    folder.mkdir()
    given = [f"{name}={value}" for name, value in {"ARTIFACTS_DIR": str(folder), **variables}.items()]
    command = ["make", "build-ForumFunction", *given]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="session")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All artifacts, built for this machine and this Python so that they run here."""
    folder = tmp_path_factory.mktemp("artifacts") / "build"
    return sam_build(folder, LAMBDA_PLATFORM="native", LAMBDA_PYTHON=RUNNING)


@pytest.fixture(scope="session")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The libraries that Lambda's Python runtime adds to an artifact."""
    return runtime_folder(tmp_path_factory.mktemp("runtime"))
