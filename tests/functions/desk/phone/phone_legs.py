"""Parses the TwiML that the desk answers Twilio with, for tests of what a person hears on the phone."""

from collections.abc import Callable
from xml.etree import ElementTree as ET

from fastapi.testclient import TestClient

from shared.escalations.record import EscalationRecord
from tests.functions.desk.desk_requests import PUBLIC_URL, asks, link

Now = Callable[[], EscalationRecord]


def says(web: TestClient, under: str, person: str = "maria", **fields: str) -> ET.Element:
    """The TwiML that answers a request of Twilio's under a person's link."""
    answer = asks(web, f"/desk/{link(person)}{under}", **fields)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/xml; charset=utf-8")
    root = ET.fromstring(answer.text)  # noqa: S314 # our own XML
    assert root.tag == "Response"
    return root


def spoken(twiml: ET.Element) -> str:
    """All text that is spoken."""
    return " ".join(say.text or "" for say in twiml.iter("Say"))


def verbs(twiml: ET.Element) -> list[str]:
    """The verbs in order."""
    return [verb.tag for verb in twiml]


def attributes(twiml: ET.Element, path: str) -> dict[str, str]:
    """The attributes of one element, and its text as `text`."""
    found = twiml.find(path)
    assert found is not None, ET.tostring(twiml)
    return {**found.attrib, "text": found.text or ""}


def next_url(twiml: ET.Element) -> str:
    """The URL that Twilio is redirected to, without PUBLIC_URL."""
    return attributes(twiml, "Redirect")["text"].removeprefix(PUBLIC_URL)
