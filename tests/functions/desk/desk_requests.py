"""Requests to the desk: people's links and taps, and Twilio's requests, signed with Twilio's library."""

import re
from functools import cache
from typing import Any

from fastapi.testclient import TestClient
from httpx2 import Response
from pydantic import SecretStr
from twilio.request_validator import RequestValidator

from shared.on_call.link import sign
from tests.escalations import CALL_SID

PUBLIC_URL = "https://voice.example.com"
AUTH_TOKEN = "the auth token"
SIGNING_KEY = "the signing key"
ACCOUNT_SID = "AC" + "1" * 32
OUR_NUMBER = "+15550100200"
ESCALATION_ID = f"{CALL_SID}-1"
# The call that alerted Ben.
OFFER = "CA" + "0" * 32
LEG, OTHER_LEG = "CA" + "a" * 32, "CA" + "b" * 32

ROSTER = """
handover = "warm"
[[tiers]]
people = ["maria", "ben"]
[people.maria]
name = "Maria Lopez"
phone = "+15550100301"
time_zone = "Europe/Berlin"
[people.ben]
name = "Ben Okafor"
phone = "+15550100302"
channels = ["phone"]
[people.topic]
name = "The night shift"
channels = ["sns"]
topic_arn = "arn:aws:sns:us-east-1:000000000000:nights"
"""


def link(person: str = "maria", escalation_id: str = ESCALATION_ID) -> str:
    """The token of a person's link; always the same for the same arguments."""
    return _signed_link(person, escalation_id)


@cache  # otherwise the token would change each second
def _signed_link(person: str, escalation_id: str) -> str:
    return sign(SecretStr(SIGNING_KEY), escalation_id, person)


def altered(token: str) -> str:
    """A link with another signature."""
    signed, _, signature = token.rpartition(".")
    return f"{signed}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}"


def form_of(html: str) -> str:
    """The token in the forms of a page."""
    found = re.search(r'name="form" value="([^"]+)"', html)
    assert found is not None, html
    return found[1]


def headline(html: str) -> str:
    """A page's headline."""
    found = re.search(r"<h1[^>]*>([^<]*)</h1>", html)
    assert found is not None, html
    return found[1]


def look(web: TestClient, token: str) -> str:
    """The page behind a link."""
    answer = web.get(f"/desk/{token}")
    assert answer.status_code == 200, answer.text
    return answer.text


def tap(web: TestClient, token: str, action: str, form: str | None = None, **fields: str) -> Response:
    """The page that a person sees after a tap on a button; `form` is the token, by default the current page's."""
    form = form_of(look(web, token)) if form is None else form
    return web.post(f"/desk/{token}/{action}", data={"form": form, **fields})


def asks(web: TestClient, path: str, **fields: str) -> Response:
    """Sends a signed request of Twilio's about a call to a person."""
    form = {"CallSid": LEG, "From": OUR_NUMBER, "To": "+15550100301", "CallStatus": "in-progress", **fields}
    return web.post(path, data=form, headers=signed(path, form))


def signed(path: str, form: dict[str, Any]) -> dict[str, str]:
    """The header with Twilio's signature."""
    return {"X-Twilio-Signature": RequestValidator(AUTH_TOKEN).compute_signature(PUBLIC_URL + path, form)}
