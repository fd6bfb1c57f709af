"""Shared by the deploy commands: the stack's name and outputs, and how a command reports an error."""

import os
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import boto3
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError

REPOSITORY = Path(__file__).resolve().parent.parent


class DeployError(Exception):
    """The command failed. The message says why, and what to do."""


def stack_name() -> str:
    """Returns the stack's name from samconfig.toml. The secret has the same name."""
    configuration = tomllib.loads((REPOSITORY / "samconfig.toml").read_text())
    return str(configuration["default"]["global"]["parameters"]["stack_name"])


def outputs() -> dict[str, str]:
    """Returns the deployed stack's outputs; raises DeployError when there is no such stack."""
    cloudformation = boto3.client("cloudformation")
    try:
        [stack] = cloudformation.describe_stacks(StackName=stack_name())["Stacks"]
    except cloudformation.exceptions.ClientError as error:
        if error.response["Error"]["Code"] != "ValidationError":
            raise
        where = cloudformation.meta.region_name
        raise DeployError(f"There is no stack {stack_name()} in {where}. Run `make deploy` first.") from error
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


def run(command: Callable[[], None]) -> int:
    """Runs a command and returns its exit status; prints an error to stderr without a traceback."""
    if region := os.environ.get("AWS_REGION"):  # boto3 does not read this one, though every other SDK does
        os.environ["AWS_DEFAULT_REGION"] = region
    try:
        command()
    except DeployError as error:
        print(error, file=sys.stderr)
    except NoCredentialsError:
        print("AWS credentials are missing. Run `aws configure` or `aws sso login`.", file=sys.stderr)
    except NoRegionError:
        print("The region is missing. Set AWS_REGION, such as AWS_REGION=eu-central-1.", file=sys.stderr)
    except (BotoCoreError, ClientError) as error:
        print(f"AWS: {error}", file=sys.stderr)
    else:
        return 0
    return 1
