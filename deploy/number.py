"""Points a Twilio number at the deployed stack: `make number NUMBER=+15551234567`."""

import os
import sys
from collections.abc import Mapping
from typing import Any

import boto3
from pydantic import SecretStr
from requests import RequestException
from twilio.base.exceptions import TwilioException
from twilio.rest import Client
from twilio.rest.api.v2010.account.incoming_phone_number import IncomingPhoneNumberInstance

from deploy.secrets import stored
from deploy.stack import DeployError, outputs, run, stack_name
from shared.numbers.phone_numbers import is_e164
from shared.twilio.rest import rest_client

LISTED = 20
CREDENTIALS = ("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN")


def point(client: Client, number: str, url: str) -> str:
    """Sets `url` as the webhook (POST) of calls to `number`; returns the previous URL.

    Raises:
        DeployError: when the number is not the account's, takes no calls, or Twilio refuses.
    """
    try:
        found = _find(client, number)
        before = str(found.voice_url or "")
        # An application that is set on a number would take precedence over its URL.
        found.update(voice_url=url, voice_method="POST", voice_application_sid="")
    except (TwilioException, RequestException) as error:
        raise DeployError(f"Twilio: {error}") from error
    return before


def _find(client: Client, number: str) -> IncomingPhoneNumberInstance:
    # Twilio also matches parts of a number.
    found = [n for n in client.incoming_phone_numbers.list(phone_number=number) if n.phone_number == number]
    if not found:
        others = [str(n.phone_number) for n in client.incoming_phone_numbers.list(limit=LISTED)]
        raise DeployError(f"{number} is not in this Twilio account, which has {', '.join(others) or 'no numbers'}.")
    capabilities: Any = found[0].capabilities  # a mapping, whatever the library's annotation says
    if not capabilities["voice"]:
        raise DeployError(f"{number} does not take voice calls.")
    if found[0].trunk_sid:
        raise DeployError(f"{number} belongs to a SIP trunk, which takes its calls. Take it out of the trunk first.")
    return found[0]


def credentials(environ: Mapping[str, str]) -> tuple[str, SecretStr]:
    """Returns account SID and auth token, from the environment, else from the stack's secret."""
    values: Mapping[str, Any] = environ
    if not all(environ.get(name) for name in CREDENTIALS):
        secret = stored(boto3.client("secretsmanager"), stack_name())
        if secret is None:
            raise DeployError(f"There is no secret {stack_name()} yet. Run `make secrets` first.")
        values = secret.values
        if not all(isinstance(values.get(name), str) for name in CREDENTIALS):
            raise DeployError(f"The secret {stack_name()} lacks {' or '.join(CREDENTIALS)}. Run `make secrets` first.")
    sid, token = (values[name] for name in CREDENTIALS)
    return sid, SecretStr(token)


def main(arguments: list[str]) -> int:
    """Runs the command line, which takes one number; returns the exit status."""

    def command() -> None:
        [number] = arguments if len(arguments) == 1 else [""]
        if not is_e164(number):
            raise DeployError("Which number? Write it with + and the country code: make number NUMBER=+15551234567")
        url = outputs()["IncomingCallUrl"]
        client = rest_client(*credentials(os.environ), os.environ.get("TWILIO_API_URL"))
        before = point(client, number, url)
        print(f"Calls to {number} now use the webhook {url}" + (f" (before: {before})" if before else ""))

    return run(command)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
