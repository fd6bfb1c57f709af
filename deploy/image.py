"""Builds the worker's image for Fargate's ARM machines and pushes it to the account's registry."""

import base64
import json
import subprocess
import tempfile
import time
from pathlib import Path

import boto3

from deploy.stack import REPOSITORY, DeployError

# Old images cost money; a rollback needs only the previous one.
LIFECYCLE = {
    "rules": [
        {
            "rulePriority": 1,
            "description": "the last ten",
            "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 10},
            "action": {"type": "expire"},
        }
    ]
}


def push(repository: str) -> str:
    """Builds and pushes the image; returns its URI by digest. Needs a Docker engine with buildx."""
    uri = ensure_repository(repository)
    _log_in(uri.partition("/")[0])
    with tempfile.TemporaryDirectory() as folder:
        metadata = Path(folder, "metadata.json")
        _docker(
            *("buildx", "build", "--platform", "linux/arm64", "--provenance=false", "--push"),
            *("--file", "worker/Dockerfile", "--tag", f"{uri}:{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}"),
            *("--metadata-file", str(metadata), "."),
        )
        return f"{uri}@{json.loads(metadata.read_text())['containerimage.digest']}"


def ensure_repository(name: str) -> str:
    """Returns the URI of the account's image repository; creates it if it does not exist."""
    ecr = boto3.client("ecr")
    try:
        [found] = ecr.describe_repositories(repositoryNames=[name])["repositories"]
    except ecr.exceptions.RepositoryNotFoundException:
        found = ecr.create_repository(
            repositoryName=name,
            imageTagMutability="IMMUTABLE",
            imageScanningConfiguration={"scanOnPush": True},
        )["repository"]
        ecr.put_lifecycle_policy(repositoryName=name, lifecyclePolicyText=json.dumps(LIFECYCLE))
    return found["repositoryUri"]


def _log_in(registry: str) -> None:
    [authorization] = boto3.client("ecr").get_authorization_token()["authorizationData"]
    user, _, password = base64.b64decode(authorization["authorizationToken"]).decode().partition(":")
    _docker("login", "--username", user, "--password-stdin", registry, password=password)


def _docker(*arguments: str, password: str | None = None) -> None:
    try:
        subprocess.run(["docker", *arguments], cwd=REPOSITORY, check=True, text=True, input=password)  # noqa: S607
    except FileNotFoundError as error:
        raise DeployError(
            "Docker is not installed here. Build the image elsewhere, and pass it to `make deploy` as "
            "IMAGE_URI=<repository>@sha256:<digest>."
        ) from error
    except subprocess.CalledProcessError as error:
        raise DeployError(f"docker {arguments[0]} failed with status {error.returncode}; see above.") from error
