"""What the deploy commands share: the stack's name, what it says of itself, and how a command fails."""

import os
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import boto3
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError

REPOSITORY = Path(__file__).resolve().parent.parent


class DeployError(Exception):
    """The command cannot go on. The message says why, and what to do."""


def stack_name() -> str:
    """The name in samconfig.toml. The secret has the same."""
    configuration = tomllib.loads((REPOSITORY / "samconfig.toml").read_text())
    return str(configuration["default"]["global"]["parameters"]["stack_name"])


def outputs() -> dict[str, str]:
    """The deployed stack's outputs; raises DeployError when there is no such stack."""
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
    """Runs a command and returns its exit status, with what went wrong in one line on stderr."""
    if region := os.environ.get("AWS_REGION"):  # which boto3 does not read, though every other SDK does
        os.environ["AWS_DEFAULT_REGION"] = region
    try:
        command()
    except DeployError as error:
        print(error, file=sys.stderr)
    except NoCredentialsError:
        print("AWS credentials are missing. `aws configure` or `aws sso login` gives them.", file=sys.stderr)
    except NoRegionError:
        print("Which region? Set AWS_REGION, such as AWS_REGION=eu-central-1.", file=sys.stderr)
    except (BotoCoreError, ClientError) as error:
        print(f"AWS: {error}", file=sys.stderr)
    else:
        return 0
    return 1
