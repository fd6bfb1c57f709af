"""Keeps the stack's one secret in Secrets Manager: `make secrets`.

Values come from the environment, else they are asked for without being shown; what is there already stays, unless a
new value is given. The signing key is made here, once, and nobody need ever see it.
"""

import argparse
import json
import os
import re
import secrets
import sys
from collections.abc import Callable, Mapping
from getpass import getpass

import boto3

from deploy.stack import DeployError, run, stack_name

# What each value looks like, in a regular expression and in words.
ASKED_FOR = {
    "TWILIO_ACCOUNT_SID": (r"AC[0-9a-f]{32}", "AC and 32 hexadecimal digits, from the Twilio console"),
    "TWILIO_AUTH_TOKEN": (r"[0-9a-f]{32}", "32 hexadecimal digits, from the Twilio console"),
    "OPENAI_API_KEY": (r"sk-\S{16,}", "sk-..., from platform.openai.com"),
}
SIGNING_KEY = "SIGNING_KEY"


def gather(
    there: Mapping[str, str], environ: Mapping[str, str], ask: Callable[[str], str] | None, *, new_signing_key: bool
) -> dict[str, str]:
    """All values of the secret.

    Args:
        there: what the secret holds already.
        ask: shows a prompt and returns what was typed; None when nobody can be asked.
        new_signing_key: whether the signing key is made anew. Calls that are just being connected then fail.

    Raises:
        DeployError: when a value is missing or does not look like one. The message never holds it.
    """
    values, wrong = {}, []
    for name, (pattern, looks) in ASKED_FOR.items():
        value = environ.get(name, "")
        if not value and ask:
            value = ask(f"{name} ({'Enter keeps the present one' if name in there else looks}): ").strip()
        value = value or there.get(name, "")
        if not value:
            wrong.append(f"{name} is missing; it is {looks}.")
        elif not re.fullmatch(pattern, value):
            wrong.append(f"{name} does not look right; it is {looks}.")
        values[name] = value
    if wrong:
        raise DeployError("\n".join(wrong))
    present = "" if new_signing_key else there.get(SIGNING_KEY, "")
    return {**values, SIGNING_KEY: present or secrets.token_urlsafe(32)}


def keep(*, new_signing_key: bool) -> None:
    """Creates the secret, or gives it a new version where a value has changed."""
    manager, name = boto3.client("secretsmanager"), stack_name()
    try:
        there: dict[str, str] | None = json.loads(manager.get_secret_value(SecretId=name)["SecretString"])
    except manager.exceptions.ResourceNotFoundException:
        there = None
    ask = getpass if sys.stdin.isatty() else None
    values = gather(there or {}, os.environ, ask, new_signing_key=new_signing_key)
    if there is None:
        manager.create_secret(
            Name=name, SecretString=json.dumps(values), Description="Bellhop: Twilio, OpenAI, signing"
        )
        print(f"The secret {name} is there, with {', '.join(values)}.")
    elif there == values:
        print(f"The secret {name} stays as it is.")
    else:
        changed = [key for key, value in values.items() if there.get(key) != value]
        manager.put_secret_value(SecretId=name, SecretString=json.dumps(values))
        print(f"The secret {name} has a new {', '.join(changed)}. `make deploy` hands it out.")


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="make secrets", description="Keeps the stack's secret in Secrets Manager.")
    parser.add_argument("--new-signing-key", action="store_true", help="makes the signing key anew")
    arguments = parser.parse_args()
    return run(lambda: keep(new_signing_key=arguments.new_signing_key))


if __name__ == "__main__":
    sys.exit(main())
