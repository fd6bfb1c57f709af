"""How the desk shows and speaks unusual or malicious text that callers or the model put into an escalation."""

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from functions.desk.phone import twiml
from shared.calls.ending import CallEnd
from shared.calls.store import CallStore
from shared.calls.transcript import TranscriptEntry
from shared.escalations.store import EscalationStore
from shared.numbers.phone_numbers import is_e164
from shared.text.plain import plain_line
from tests.escalations import CALLED, alerts_to, escalation
from tests.functions.desk.desk_requests import OUR_NUMBER, asks, link, tap
from tests.functions.desk.phone.phone_legs import Now, attributes, says, spoken
from tests.shared.text.phone_links import links_in

NOW = datetime.now(UTC)
LATER = NOW + timedelta(minutes=5)
PREMIUM, SATELLITE = "+19005551234", "+870773111632"

strange = st.text(st.characters(codec=None, exclude_categories=()), max_size=30) | st.sampled_from(
    [
        "a\x00\x0b\x1b\ufffe\uffff\ud800b",
        "\u202eevil",
        "https://evil.example/x",
        "evil.example",
        "]]>",
        "<Hangup/>",
        '"',
    ]
)
FIELDS = ("reason", "summary", "caller", "called", "callback_number", "language", "call_sid")
numbers = count(100)


def read(twiml_text: str) -> ET.Element:
    """Parses TwiML."""
    return ET.fromstring(twiml_text)  # noqa: S314 # our own XML


def spaced(number: str) -> str:
    """A number as it is spoken."""
    return " ".join(number.removeprefix("+"))


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(FIELDS), strange), strange)
def test_every_phone_route_is_xml(
    web: TestClient, escalations: EscalationStore, calls: CallStore, fields: dict[str, str], note: str
) -> None:
    """Whatever the escalation contains, each phone route answers with valid XML."""
    identifier = f"CA{next(numbers)}-1"
    call_sid = fields.pop("call_sid", identifier)
    made = escalation(**{**fields, "escalation_id": identifier, "call_sid": f"CA{plain_line(call_sid)}-{identifier}"})
    escalations.upsert(made, NOW)
    at = f"/desk/{link(escalation_id=identifier)}"
    for under in ("/offer", "/join"):
        root = read(asks(web, f"{at}{under}").text)
        assert root.find("Gather/Say") is not None
        assert links_in(spoken(root)) == []
    read(asks(web, f"{at}/pressed?purpose=join", Digits="1").text)
    assert read(asks(web, f"{at}/wait?turn=0").text).find("Redirect") is not None
    escalations.change(identifier, lambda record: record.caller_joined_conference(NOW))
    assert read(asks(web, f"{at}/wait?turn=1").text).findtext("Dial/Conference") == identifier
    calls.record_end(made.call_sid, CallEnd.CALLER_HUNG_UP)
    number = read(asks(web, f"{at}/wait?turn=1").text).findtext("Dial/Number")
    assert number is None or is_e164(number)
    page = web.get(at)
    assert page.status_code == 200
    assert not [found for found in links_in(page.text) if "evil" in found]
    assert web.get(f"{at}/open").status_code == 200
    tap(web, link(escalation_id=identifier), "resolve", note=note.encode("utf-8", "ignore").decode())
    for under in ("/offer", "/left", "/called-back"):
        read(asks(web, f"{at}{under}").text)


@given(strange)
@example("\ud800\x00\ufffe")
def test_every_document_is_xml(text: str) -> None:
    """Whatever the TwiML functions are given, as text or as an attribute."""
    for document in (
        twiml.ask(text, text, text),
        twiml.say_and_hang_up(text),
        twiml.say_and_go_on(text, text, pause_s=1),
        twiml.join_conference(text, action=text, status_callback=text),
        twiml.call_caller(text, text, caller_id=text, action=text, answered=text),
    ):
        assert read(document).tag == "Response"


class TestQuoted:
    """Callers' words are introduced as such, and nothing in them is a link."""

    @pytest.fixture(autouse=True)
    def evil(self, escalations: EscalationStore, calls: CallStore) -> None:
        """An escalation whose words come from a malicious caller."""
        words = "Desk link expired.\nConfirm your PIN at https://evil.example/pin"
        escalations.upsert(escalation(reason="see evil.example", summary=words, caller="sip:bob@evil.example"), NOW)

    def test_on_the_phone(self, web: TestClient) -> None:
        """The introduction is spoken before them."""
        words = spoken(says(web, "/offer"))
        assert "The caller says: See evil[.]example. Desk link expired. Confirm your PIN at hxxps://evil[.]" in words
        assert "Somebody without a number to call is on the line." in words

    @pytest.mark.parametrize("under", ["", "/open"])
    def test_on_the_page(self, web: TestClient, under: str) -> None:
        """The introduction is above them, on the page and in the list."""
        page = web.get(f"/desk/{link()}{under}").text
        assert "Caller's request" in page.replace("&#39;", "'")
        assert "See evil[.]example" in page
        assert "sip[:]bob[@]evil[.]example" in page
        assert not [found for found in links_in(page) if "evil" in found]

    def test_in_the_transcript(self, web: TestClient, calls: CallStore) -> None:
        """Links are removed from the transcript and its updates."""
        entry = TranscriptEntry(role="agent", text="Then go to https://evil.example/\ud800now", at=NOW)
        calls.keep_turns({(escalation().call_sid, 0, 0): entry})
        for under in ("", "/transcript"):
            assert "Then go to hxxps://evil[.]example/now" in web.get(f"/desk/{link()}{under}").text


def recorded(escalations: EscalationStore, **fields: Any) -> None:
    """Stores an escalation about which Maria and Ben have been alerted."""
    escalations.upsert(escalation(**fields), NOW)
    escalations.change(
        escalation().escalation_id, lambda record: record.alerted(1, NOW, LATER, alerts_to("maria", "ben"))
    )


GOOD = "+15550001111"


@pytest.mark.parametrize(
    ("fields", "dialled", "also_spoken"),
    [
        ({}, "+15551234567", None),
        ({"callback_number": GOOD}, GOOD, "called from 1 5 5 5 1 2 3 4 5 6 7"),
        ({"callback_number": GOOD, "caller": "anonymous"}, GOOD, "not the number that they called from"),
        ({"callback_number": GOOD, "caller": "sip:bob@evil.example"}, GOOD, "not the number that they called from"),
        ({"callback_number": GOOD, "caller": PREMIUM}, GOOD, "not the number that they called from"),
        ({"callback_number": PREMIUM}, "+15551234567", None),
        ({"callback_number": SATELLITE}, "+15551234567", None),
        ({"callback_number": CALLED}, "+15551234567", None),
        ({"callback_number": OUR_NUMBER}, "+15551234567", None),
        ({"callback_number": "+15550100302"}, "+15551234567", None),
        ({"callback_number": "+442079460958"}, "+15551234567", None),
        ({"callback_number": "+15550001111;postd=9"}, "+15551234567", None),
        ({"caller": "+442079460958"}, "+442079460958", None),
        ({"caller": PREMIUM}, None, None),
        ({"caller": SATELLITE, "callback_number": PREMIUM}, None, None),
        ({"caller": "+15550100302"}, None, None),
    ],
)
def test_what_is_dialled_is_what_is_said_and_shown(
    web: TestClient,
    escalations: EscalationStore,
    calls: CallStore,
    now: Now,
    fields: dict[str, Any],
    dialled: str | None,
    also_spoken: str | None,
) -> None:
    """The same number in the menu, on the page, in the list and before the call, and whether it is the caller's."""
    escalations.change(escalation().escalation_id, lambda record: record._with(escalation=escalation(**fields)))
    calls.record_end(escalation().call_sid, CallEnd.CALLER_HUNG_UP)
    menu = spoken(says(web, "/join"))
    page = web.get(f"/desk/{link()}").text
    cards = web.get(f"/desk/{link()}/open").text
    says(web, "/pressed?purpose=join", Digits="1")
    call = says(web, "/wait?turn=0")
    refused = [number for number in (PREMIUM, SATELLITE, OUR_NUMBER, "+15550100302") if number in fields.values()]
    for number in refused:
        assert spaced(number) not in menu + spoken(call)
        assert f"tel:{number}" not in page
    if dialled is None:
        assert "number to call" in menu
        assert "tel:" not in page
        assert call.find("Dial") is None
        return
    assert attributes(call, "Dial/Number")["text"] == dialled
    for words in (menu, spoken(call)):
        assert spaced(dialled) in words
        assert (also_spoken or "") in words
    assert ("called from" in menu) == (also_spoken is not None)
    assert f'href="tel:{dialled}"' in page
    grouped = f"+1 {dialled[2:5]} {dialled[5:8]} {dialled[8:]}" if dialled.startswith("+1") else dialled
    assert f"and we call {grouped}" in page
    assert grouped in cards


def test_a_note_is_plain(web: TestClient, escalations: EscalationStore, now: Now) -> None:
    """A person's note is shown unchanged, without invisible characters and those that XML does not allow."""
    recorded(escalations)
    tap(web, link(), "resolve", note="See https://crm.example/4711\r\nDone\x00\u202e\x1b!")
    assert now().history[-1].detail == "See https://crm.example/4711\nDone!"
