"""Stores the stack's secret in Secrets Manager: `make secrets`.

Values come from the environment; otherwise the command prompts for them without an echo. A stored value stays unless a
new one is given. The signing key is generated here once and never shown. Keys that are not Bellhop's, such as those of
your own tools, are not changed.
"""

import argparse
import json
import math
import os
import re
import secrets
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from getpass import getpass
from typing import TYPE_CHECKING, Any

import boto3

from deploy.stack import DeployError, run, stack_name

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

# The format of each value, as a regular expression and in words.
REQUIRED = {
    "TWILIO_ACCOUNT_SID": (r"AC[0-9a-f]{32}", "AC and 32 hexadecimal digits, from the Twilio console"),
    "TWILIO_AUTH_TOKEN": (r"[0-9a-f]{32}", "32 hexadecimal digits, from the Twilio console"),
    "OPENAI_API_KEY": (r"sk-\S{16,}", "sk-..., from platform.openai.com"),
}
SIGNING_KEY = "SIGNING_KEY"
OURS = {*REQUIRED, SIGNING_KEY}

# A new version has this label until it becomes the current one.
_NEXT = "BELLHOP_NEXT"


@dataclass(frozen=True)
class Stored:
    """The current version of the secret. Values may have any JSON type, since others may write to it."""

    values: Mapping[str, Any]
    version: str


def stored(manager: "SecretsManagerClient", name: str) -> Stored | None:
    """Returns the current secret, or None when there is none.

    Raises:
        DeployError: when it is not a JSON object. The message never contains its text.
    """
    try:
        found = manager.get_secret_value(SecretId=name)
    except manager.exceptions.ResourceNotFoundException:
        return None
    try:
        values: Any = json.loads(found.get("SecretString", ""), parse_constant=_finite, parse_float=_finite)
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        raise DeployError(
            f"The secret {name} must be a JSON object of keys and values. Nothing was changed. "
            "Correct it in the Secrets Manager console, or delete it and run `make secrets` again."
        )
    return Stored(values, found["VersionId"])


def _finite(number: str) -> float:
    """Parses a number; raises ValueError for NaN and infinity, which Python reads and writes but JSON does not have."""
    value = float(number)
    if not math.isfinite(value):
        raise ValueError(number)
    return value


def gather(
    present: Mapping[str, Any], environ: Mapping[str, str], ask: Callable[[str], str] | None, *, new_signing_key: bool
) -> dict[str, Any]:
    """Returns all values of the secret, including those that are not Bellhop's.

    Args:
        present: the stored values.
        environ: the environment, whose values replace stored ones.
        ask: shows a prompt and returns the answer; None without a terminal.
        new_signing_key: whether to generate a new signing key. Calls that are being connected then fail.

    Raises:
        DeployError: when values are missing or have the wrong format. The message never contains them.
    """
    values, wrong = dict(present), []
    for name, (pattern, expected) in REQUIRED.items():
        value: Any = environ.get(name, "")
        if not value and ask:
            value = ask(f"{name} ({'Enter keeps the stored one' if name in present else expected}): ").strip()
        value = value or present.get(name, "")
        if value in ("", None):
            wrong.append(f"{name} is missing; it is {expected}.")
        elif not (isinstance(value, str) and re.fullmatch(pattern, value)):
            wrong.append(f"{name} has the wrong format; it is {expected}.")
        values[name] = value
    if new_signing_key or not values.get(SIGNING_KEY):
        values[SIGNING_KEY] = secrets.token_urlsafe(32)
    elif not isinstance(values[SIGNING_KEY], str):
        wrong.append(f"{SIGNING_KEY} is not text; `make secrets NEW_SIGNING_KEY=yes` generates a new one.")
    if wrong:
        raise DeployError("\n".join(wrong))
    return values


def keep(*, new_signing_key: bool) -> None:
    """Creates the secret, or writes a new version if a value has changed; prints the result."""
    manager, name = boto3.client("secretsmanager"), stack_name()
    before = stored(manager, name)
    present = before.values if before else {}
    ask = getpass if sys.stdin.isatty() else None
    values = gather(present, os.environ, ask, new_signing_key=new_signing_key)
    if before is None:
        _create(manager, name, values)
        print(f"The secret {name} was created, with {', '.join(values)}.")
    elif changed := [key for key, value in values.items() if key not in present or present[key] != value]:
        _replace(manager, name, before, values)
        print(f"The secret {name} has a new {', '.join(changed)}. Run `make deploy` to use it.")
    else:
        print(f"The secret {name} has not changed.")
    if others := [key for key in present if key not in OURS]:
        print(f"Not changed: {', '.join(others)}.")


def _create(manager: "SecretsManagerClient", name: str, values: Mapping[str, Any]) -> None:
    try:
        manager.create_secret(
            Name=name, SecretString=json.dumps(values), Description="Bellhop: Twilio, OpenAI, signing"
        )
    except manager.exceptions.ResourceExistsException as error:
        raise _changed_meanwhile(name) from error


def _replace(manager: "SecretsManagerClient", name: str, before: Stored, values: Mapping[str, Any]) -> None:
    """Makes `values` the current version, if `before` still is the current one.

    Writing a value cannot be conditional. Moving the label of the current version is: it names the old version, too.
    """
    new = manager.put_secret_value(SecretId=name, SecretString=json.dumps(values), VersionStages=[_NEXT])["VersionId"]
    try:
        manager.update_secret_version_stage(
            SecretId=name, VersionStage="AWSCURRENT", MoveToVersionId=new, RemoveFromVersionId=before.version
        )
    except manager.exceptions.InvalidParameterException as error:
        raise _changed_meanwhile(name) from error


def _changed_meanwhile(name: str) -> DeployError:
    return DeployError(
        f"The secret {name} was changed by somebody else at the same moment. Their change is stored and yours is not. "
        "Run `make secrets` again."
    )


def main() -> int:
    """Runs the command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="make secrets", description="Stores the stack's secret in Secrets Manager.")
    parser.add_argument("--new-signing-key", action="store_true", help="generate a new signing key")
    arguments = parser.parse_args()
    return run(lambda: keep(new_signing_key=arguments.new_signing_key))


if __name__ == "__main__":
    sys.exit(main())
