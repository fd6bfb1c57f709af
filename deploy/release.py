"""Deploys everything to AWS: `make deploy`. Image, functions, and the stack with the account's parameters."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import yaml

from deploy import image
from deploy.stack import REPOSITORY, DeployError, outputs, run, stack_name

PARAMETERS = REPOSITORY / "deploy" / "parameters.yaml"
SAM = REPOSITORY / ".venv-sam" / "bin" / "sam"
CLOUDFRONT = "com.amazonaws.global.cloudfront.origin-facing"


class _Loader(yaml.SafeLoader):
    """Reads YAML and ignores CloudFormation's short forms (`!Ref`, `!Sub`)."""


_Loader.add_multi_constructor("!", lambda loader, suffix, node: None)


def check_choices(choices: Path, template: Path = REPOSITORY / "template.yaml") -> None:
    """Checks the file of parameters; SAM would silently ignore a misspelt name.

    Raises:
        DeployError: when the file is missing or not a mapping, or has a parameter that the template does not have.
    """
    if not choices.exists():
        raise DeployError(
            f"{choices.name} says who is on call, and it does not exist yet. "
            "Copy deploy/parameters.example.yaml to deploy/parameters.yaml and fill it in."
        )
    try:
        chosen: Any = yaml.safe_load(choices.read_text()) or {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise DeployError(f"{choices.name} is not YAML: {error}") from error
    if not isinstance(chosen, dict):
        raise DeployError(f"{choices.name} must have a line `Name: value` for each parameter.")
    known = yaml.load(template.read_text(), _Loader)["Parameters"]  # noqa: S506 - _Loader is a SafeLoader
    if unknown := sorted(set(chosen) - set(known)):
        raise DeployError(f"{choices.name} has {', '.join(unknown)}; the template knows {', '.join(known)}.")


def find_out() -> dict[str, str]:
    """Returns the template's parameters that are looked up in the account; raises DeployError without a secret."""
    manager = boto3.client("secretsmanager")
    try:
        secret = manager.describe_secret(SecretId=stack_name())
    except manager.exceptions.ResourceNotFoundException as error:
        raise DeployError(f"There is no secret {stack_name()} yet. Run `make secrets` first.") from error
    [current] = [version for version, stages in secret["VersionIdsToStages"].items() if "AWSCURRENT" in stages]
    lists = boto3.client("ec2").describe_managed_prefix_lists(
        Filters=[{"Name": "prefix-list-name", "Values": [CLOUDFRONT]}]
    )["PrefixLists"]
    found = {"SecretArn": secret["ARN"], "SecretVersion": current}
    # A region without this list needs a domain; a rule of the template says so. SAM takes no empty value.
    return {**found, "CloudFrontPrefixList": lists[0]["PrefixListId"]} if lists else found


def release() -> None:
    """Checks the parameters first, then builds, deploys and prints the next step."""
    check_choices(PARAMETERS)
    parameters = find_out()
    parameters["ImageUri"] = os.environ.get("IMAGE_URI") or image.push(f"{stack_name()}-worker")
    _sam("build")
    overrides = [f"{name}={value}" for name, value in parameters.items()]
    _sam("deploy", "--parameter-overrides", f"file://{PARAMETERS}", *overrides)
    print(f"\nTwilio, the number's voice webhook (HTTP POST): {outputs()['IncomingCallUrl']}")
    print("`make number NUMBER=+1...` sets it for you.")


def _sam(*arguments: str) -> None:
    region = boto3.session.Session().region_name
    try:
        subprocess.run([SAM, *arguments, "--region", region], cwd=REPOSITORY, check=True)
    except subprocess.CalledProcessError as error:
        raise DeployError(f"sam {arguments[0]} failed with status {error.returncode}; see above.") from error


def main() -> int:
    """Runs the command; returns its exit status."""
    return run(release)


if __name__ == "__main__":
    sys.exit(main())
