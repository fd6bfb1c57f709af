"""Keeps the stack's one secret in Secrets Manager: `make secrets`.

Values come from the environment, else they are asked for without being shown; what is there already stays, unless a
new value is given. The signing key is made here, once, and nobody need ever see it. Keys that are not Bellhop's, such
as those of your own tools, stay as they are.
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

# What each value looks like, in a regular expression and in words.
ASKED_FOR = {
    "TWILIO_ACCOUNT_SID": (r"AC[0-9a-f]{32}", "AC and 32 hexadecimal digits, from the Twilio console"),
    "TWILIO_AUTH_TOKEN": (r"[0-9a-f]{32}", "32 hexadecimal digits, from the Twilio console"),
    "OPENAI_API_KEY": (r"sk-\S{16,}", "sk-..., from platform.openai.com"),
}
SIGNING_KEY = "SIGNING_KEY"
OURS = {*ASKED_FOR, SIGNING_KEY}

# A new version has this label until it becomes the current one.
_NEXT = "BELLHOP_NEXT"


@dataclass(frozen=True)
class Stored:
    """What the secret holds in its current version. Values may be of any JSON type, since others may write to it."""

    values: Mapping[str, Any]
    version: str


def stored(manager: "SecretsManagerClient", name: str) -> Stored | None:
    """The secret as it is now, or None when there is none.

    Raises:
        DeployError: when it is not a JSON object. The message never holds what it is.
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
            f"The secret {name} must be a JSON object of keys and values, and it is none. Nothing was changed. "
            "Correct it in the Secrets Manager console, or delete it and run `make secrets` again."
        )
    return Stored(values, found["VersionId"])


def _finite(number: str) -> float:
    """Refuses what Python reads and would write as NaN or Infinity, which are not JSON."""
    value = float(number)
    if not math.isfinite(value):
        raise ValueError(number)
    return value


def gather(
    there: Mapping[str, Any], environ: Mapping[str, str], ask: Callable[[str], str] | None, *, new_signing_key: bool
) -> dict[str, Any]:
    """All values of the secret, those that are not Bellhop's among them.

    Args:
        there: what the secret holds already.
        ask: shows a prompt and returns what was typed; None when nobody can be asked.
        new_signing_key: whether the signing key is made anew. Calls that are just being connected then fail.

    Raises:
        DeployError: when a value is missing or does not look like one. The message never holds it.
    """
    values, wrong = dict(there), []
    for name, (pattern, looks) in ASKED_FOR.items():
        value: Any = environ.get(name, "")
        if not value and ask:
            value = ask(f"{name} ({'Enter keeps the present one' if name in there else looks}): ").strip()
        value = value or there.get(name, "")
        if value in ("", None):
            wrong.append(f"{name} is missing; it is {looks}.")
        elif not (isinstance(value, str) and re.fullmatch(pattern, value)):
            wrong.append(f"{name} does not look right; it is {looks}.")
        values[name] = value
    if new_signing_key or not values.get(SIGNING_KEY):
        values[SIGNING_KEY] = secrets.token_urlsafe(32)
    elif not isinstance(values[SIGNING_KEY], str):
        wrong.append(f"{SIGNING_KEY} is not text; `make secrets NEW_SIGNING_KEY=yes` makes a new one.")
    if wrong:
        raise DeployError("\n".join(wrong))
    return values


def keep(*, new_signing_key: bool) -> None:
    """Creates the secret, or gives it a new version where a value has changed."""
    manager, name = boto3.client("secretsmanager"), stack_name()
    before = stored(manager, name)
    there = before.values if before else {}
    ask = getpass if sys.stdin.isatty() else None
    values = gather(there, os.environ, ask, new_signing_key=new_signing_key)
    if before is None:
        _create(manager, name, values)
        print(f"The secret {name} is there, with {', '.join(values)}.")
    elif changed := [key for key, value in values.items() if key not in there or there[key] != value]:
        _replace(manager, name, before, values)
        print(f"The secret {name} has a new {', '.join(changed)}. `make deploy` hands it out.")
    else:
        print(f"The secret {name} stays as it is.")
    if others := [key for key in there if key not in OURS]:
        print(f"Kept as they were: {', '.join(others)}.")


def _create(manager: "SecretsManagerClient", name: str, values: Mapping[str, Any]) -> None:
    try:
        manager.create_secret(
            Name=name, SecretString=json.dumps(values), Description="Bellhop: Twilio, OpenAI, signing"
        )
    except manager.exceptions.ResourceExistsException as error:
        raise _changed_meanwhile(name) from error


def _replace(manager: "SecretsManagerClient", name: str, before: Stored, values: Mapping[str, Any]) -> None:
    """Makes `values` the current version, on the condition that `before` still is.

    To put a value has no condition, but to move the label of the current version from one version to another has.
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
        f"The secret {name} was changed by somebody else at the same moment. Their change is kept and yours is not. "
        "Run `make secrets` again."
    )


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="make secrets", description="Keeps the stack's secret in Secrets Manager.")
    parser.add_argument("--new-signing-key", action="store_true", help="makes the signing key anew")
    arguments = parser.parse_args()
    return run(lambda: keep(new_signing_key=arguments.new_signing_key))


if __name__ == "__main__":
    sys.exit(main())
