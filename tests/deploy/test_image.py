"""Building and pushing the worker's image, with a fake Docker that only records its commands."""

import json
import os
from pathlib import Path

import boto3
import pytest

from deploy import image
from deploy.stack import DeployError
from local.stack.emulator import Emulator

DIGEST = "sha256:" + "a" * 64
DOCKER = """#!/bin/sh
printf '%s\\n' "$*" >> "$DOCKER_LOG"
[ "$1" != login ] || cat > "$DOCKER_LOG.password"
while [ $# -gt 0 ]; do
    [ "$1" != --metadata-file ] || printf '{"containerimage.digest": "%s"}' "$DOCKER_DIGEST" > "$2"
    shift
done
exit "${DOCKER_STATUS:-0}"
"""


@pytest.fixture
def docker_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of Docker's commands, one a line."""
    docker = tmp_path / "docker"
    docker.write_text(DOCKER)
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("DOCKER_LOG", str(tmp_path / "log"))
    monkeypatch.setenv("DOCKER_DIGEST", DIGEST)
    return tmp_path / "log"


def test_the_image_is_built_for_arm_and_named_by_its_digest(account: Emulator, docker_log: Path) -> None:
    """The login passes the password by stdin; the build runs in the repository's root and pushes."""
    uri = image.push("bellhop-worker")
    login, build = docker_log.read_text().splitlines()
    registry = uri.partition("/")[0]
    assert login == f"login --username AWS --password-stdin {registry}"
    assert docker_log.with_name("log.password").read_text()
    assert build.startswith("buildx build --platform linux/arm64 ")
    assert "--push --file worker/Dockerfile " in build
    assert build.endswith(" .")
    assert uri.endswith(f"/bellhop-worker@{DIGEST}")


def test_the_repository_is_created_once(account: Emulator) -> None:
    """Its tags are immutable, its images are scanned, and old images expire."""
    first, second = image.ensure_repository("bellhop-twice"), image.ensure_repository("bellhop-twice")
    assert first == second
    ecr = boto3.client("ecr", **account.connection)
    [found] = ecr.describe_repositories(repositoryNames=["bellhop-twice"])["repositories"]
    assert found["imageTagMutability"] == "IMMUTABLE"
    assert found["imageScanningConfiguration"]["scanOnPush"] is True
    policy = json.loads(ecr.get_lifecycle_policy(repositoryName="bellhop-twice")["lifecyclePolicyText"])
    assert policy["rules"][0]["action"] == {"type": "expire"}


def test_a_build_that_fails_ends_the_deploy(
    account: Emulator, docker_log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Docker prints the reason; the error names the step."""
    monkeypatch.setenv("DOCKER_STATUS", "17")
    with pytest.raises(DeployError, match="docker login failed with status 17"):
        image.push("bellhop-worker")


def test_without_docker_the_alternative_is_named(
    account: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error says that the image can be built elsewhere."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DeployError, match="IMAGE_URI="):
        image.push("bellhop-worker")
