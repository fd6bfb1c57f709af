"""The desk in a phone's browser, used as by a person on call."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from shared.calls.ending import CallEnd
from shared.calls.store import CallStore
from shared.calls.transcript import TranscriptEntry
from shared.escalations.record import Status
from shared.escalations.store import EscalationStore
from shared.on_call import link as desk_link
from shared.on_call.store import RosterStore
from tests.browser.conftest import Open, picture
from tests.escalations import CALL_SID, CALLER, alerts_to, escalation
from tests.functions.desk.desk_requests import ESCALATION_ID, LEG, ROSTER, link
from tests.twilio_rest import TwilioRest

NOW = datetime.now(UTC)
LATER = NOW + timedelta(minutes=5)
SAID = (
    ("agent", "Harbour Hotel, good evening. How can I help?"),
    ("caller", "I was charged twice for order twelve."),
    ("agent", "I am sorry to hear that. I can see both payments."),
    ("caller", "Then give me one of them back. Can I speak to a person, please?"),
    ("agent", "Of course. I have asked for one, please stay on the line."),
)
SMALLEST = {"viewport": {"width": 320, "height": 568}}


@pytest.fixture
def urgent(escalations: EscalationStore, calls: CallStore) -> EscalationStore:
    """An urgent escalation of two minutes ago, with its transcript."""
    created = datetime.now(UTC) - timedelta(seconds=134)
    summary = "Charged twice for order 12 and wants one of the payments back. Has written two mails and is upset."
    escalations.upsert(escalation(created_at=created, urgency="high", reason="billing_dispute", summary=summary), NOW)
    escalations.change(ESCALATION_ID, lambda record: record.alerted(1, NOW, LATER, alerts_to("maria", "ben")))
    for index, (role, text) in enumerate(SAID):
        calls.keep_turns({(CALL_SID, index, 0): TranscriptEntry(role=role, text=text, at=NOW)})
    return escalations


def says(page: Page, words: str) -> None:
    """Waits until the page's headline is this."""
    expect(page.get_by_role("heading", level=1)).to_have_text(words)


def button(page: Page, name: str) -> Any:
    """The button of that name."""
    return page.get_by_role("button", name=name)


def in_view(page: Page, selector: str) -> bool:
    """Whether an element is fully visible on the phone's screen."""
    box, size = page.locator(selector).bounding_box(), page.viewport_size
    assert box is not None
    assert size is not None
    return box["x"] >= 0 and box["x"] + box["width"] <= size["width"] and box["y"] + box["height"] <= size["height"]


def check_with_axe(page: Page) -> None:
    """axe-core finds no violation."""
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def check_layout(*pages: Page) -> None:
    """The pages are accessible, and no content is wider than the screen."""
    for page in pages:
        check_with_axe(page)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


class TestByLink:
    """From opening the link to talking with the caller."""

    def test_take_the_call(self, phone: Open, urgent: EscalationStore, twilio: TwilioRest) -> None:
        """One tap on the main button; from then on the page follows the phone call by itself."""
        page = phone()
        says(page, "A caller is waiting")
        expect(page.locator("#link")).to_have_text("Live")
        picture(page, "desk")
        button(page, "Take the call").tap()
        says(page, "Your phone rings")
        picture(page, "desk-ringing")
        assert [call["To"] for call in twilio.calls] == ["+15550100301"]
        urgent.change(ESCALATION_ID, lambda record: record.ready_on(LEG, "maria", NOW, LATER))
        says(page, "The caller is coming")
        picture(page, "desk-ready")
        urgent.change(ESCALATION_ID, lambda record: record.connected(datetime.now(UTC), LATER))
        says(page, "You are talking with the caller")
        expect(page.locator("#waiting")).to_contain_text("Waited")
        picture(page, "desk-talking")
        urgent.change(ESCALATION_ID, lambda record: record.call_ended(datetime.now(UTC), 73))
        says(page, "Done")
        page.get_by_text("What happened so far").tap()
        expect(page.locator("#history")).to_contain_text("You and the caller were connected")
        picture(page, "desk-done")

    def test_call_back_and_write_what_came_of_it(
        self, phone: Open, urgent: EscalationStore, calls: CallStore, twilio: TwilioRest
    ) -> None:
        """The page notices that the caller has hung up."""
        page = phone()
        says(page, "A caller is waiting")
        calls.record_end(CALL_SID, CallEnd.CALLER_HUNG_UP)
        says(page, "Call the caller back")
        picture(page, "desk-callback")
        button(page, "Call back").tap()
        says(page, "Your phone rings")
        assert len(twilio.calls) == 1
        page.get_by_text("Resolve it with a note").tap()
        page.get_by_label("What came of it?").fill("Paid back one of the two.")
        picture(page, "desk-note")
        button(page, "Resolved").tap()
        says(page, "Done")
        expect(page.locator(".note")).to_have_text(re.compile("Paid back one of the two."))
        assert twilio.calls[0]["Url"].endswith("/join")

    def test_pass_it_on(self, phone: Open, urgent: EscalationStore) -> None:
        """A person who declined can still accept."""
        page = phone("ben")
        button(page, "Pass it on").tap()
        expect(page.get_by_text("You passed it on. You can still take it.")).to_be_visible()
        expect(button(page, "Pass it on")).to_have_count(0)
        expect(button(page, "Take the call")).to_be_enabled()

    def test_two_people_tap_at_once(self, phone: Open, urgent: EscalationStore, twilio: TwilioRest) -> None:
        """Both see the button; the second reads who was first."""
        maria, ben = phone(), phone("ben")
        for page in (maria, ben):
            # Without updates, both pages stay as they were.
            page.route("**/transcript*", lambda route: route.fulfill(body=""))
        button(maria, "Take the call").tap()
        says(maria, "Your phone rings")
        button(ben, "Take the call").tap()
        says(ben, "Maria Lopez took it")
        expect(ben.get_by_role("alert")).to_contain_text("Nothing was changed by your last tap")
        picture(ben, "desk-taken")
        assert [call["To"] for call in twilio.calls] == ["+15550100301"]

    def test_a_double_tap(self, phone: Open, urgent: EscalationStore, twilio: TwilioRest) -> None:
        """It rings the phone once."""
        page = phone()
        button(page, "Take the call").dblclick()
        says(page, "Your phone rings")
        assert len(twilio.calls) == 1

    def test_twilio_refuses(self, phone: Open, urgent: EscalationStore, twilio: TwilioRest) -> None:
        """The page says so, and the button can be used again."""
        twilio.refuse["+15550100301"] = 503
        page = phone()
        button(page, "Take the call").tap()
        expect(page.get_by_role("alert")).to_have_text("That did not work: the phone could not be made to ring.")
        picture(page, "desk-failure")
        del twilio.refuse["+15550100301"]
        button(page, "Take the call").tap()
        says(page, "Your phone rings")

    def test_the_list(self, phone: Open, urgent: EscalationStore) -> None:
        """From one caller to the next, and back."""
        other = escalation(escalation_id="CA2-1", call_sid="CA2", reason="lost_property", urgency="low", created_at=NOW)
        urgent.upsert(other, NOW)
        page = phone()
        page.get_by_role("link", name="Open calls").tap()
        says(page, "2 callers are waiting")
        picture(page, "desk-open")
        page.get_by_role("link", name=re.compile("Lost property")).tap()
        says(page, "A caller is waiting")
        expect(page.get_by_role("heading", name="Lost property")).to_be_visible()


class TestTheTranscript:
    """The transcript and other updates on an open page."""

    def test_it_grows_and_nothing_jumps(self, phone: Open, urgent: EscalationStore, calls: CallStore) -> None:
        """New entries come at the end, an entry whose text was cut is replaced, and nothing above moves."""
        page = phone()
        entries = page.locator(".turn")
        expect(entries).to_have_count(len(SAID))
        places = [page.locator(selector).bounding_box() for selector in ("h1", ".summary", "#big", "#turn-0")]
        calls.keep_turns({(CALL_SID, 4, 0): TranscriptEntry(role="agent", text="Of course. I have", at=NOW)})
        calls.keep_turns({(CALL_SID, 5, 0): TranscriptEntry(role="caller", text="Thank you, I will wait.", at=NOW)})
        expect(entries).to_have_count(len(SAID) + 1)
        expect(entries.nth(4)).to_have_text(re.compile(r"Of course. I have$"))
        expect(entries.last).to_contain_text("Thank you, I will wait.")
        assert [page.locator(selector).bounding_box() for selector in ("h1", ".summary", "#big", "#turn-0")] == places

    def test_a_note_that_is_being_written_stays(self, phone: Open, urgent: EscalationStore, calls: CallStore) -> None:
        """It stays while the rest of the page changes, and it can be sent."""
        page = phone()
        page.get_by_text("Resolve it with a note").tap()
        page.get_by_label("What came of it?").fill("Half a sen")
        urgent.change(ESCALATION_ID, lambda record: record.accepted("maria", NOW, LATER, name="Maria Lopez"))
        says(page, "Your phone rings")
        expect(page.get_by_label("What came of it?")).to_have_value("Half a sen")
        expect(page.get_by_label("What came of it?")).to_be_focused()
        button(page, "Resolved").tap()
        says(page, "Done")

    def test_the_waiting_time_ticks(self, phone: Open, urgent: EscalationStore) -> None:
        """The waiting time is shown in words and counted."""
        page = phone()
        shown = page.locator("#waiting time")
        before = shown.inner_text()
        expect(shown).not_to_have_text(before)
        assert re.fullmatch(r"\d+ minutes?( \d+ seconds?)?", shown.inner_text())


class TestTheScreen:
    """Small and dark screens, accessibility, and pages without a script or a network."""

    @pytest.mark.parametrize("options", [{}, SMALLEST, {"color_scheme": "dark"}], ids=["phone", "smallest", "dark"])
    def test_every_page_is_accessible(
        self, phone: Open, urgent: EscalationStore, calls: CallStore, options: dict[str, Any]
    ) -> None:
        """axe-core finds nothing in any state, and no content is wider than the screen."""
        page = phone(**options)
        page.get_by_text("What happened so far").tap()
        page.get_by_text("Resolve it with a note").tap()
        if options:
            picture(page, f"desk-{'dark' if 'color_scheme' in options else 'smallest'}")
        # Each page is checked before the next change, at which it would load itself again.
        check_layout(page, phone(under="/open", **options), phone("topic", **options))
        urgent.change(ESCALATION_ID, lambda record: record.accepted("maria", NOW, LATER, name="Maria Lopez"))
        check_layout(phone(**options), phone("ben", **options))
        urgent.change(ESCALATION_ID, lambda record: record.resolved("maria", NOW, "Paid back."))
        check_layout(phone(**options), phone(under="/open", **options))

    def test_the_button_is_at_the_thumb(self, phone: Open, urgent: EscalationStore) -> None:
        """The main button is in view on the smallest phone, however far the transcript is scrolled."""
        page = phone(**SMALLEST)
        assert in_view(page, "#big")
        page.evaluate("scrollTo(0, document.body.scrollHeight)")
        assert in_view(page, "#big")
        box = page.locator("#big").bounding_box()
        assert box is not None
        assert box["height"] >= 44

    def test_a_number_is_a_tap_away(self, phone: Open, urgent: EscalationStore) -> None:
        """The caller's number is a link, so that it can be called even if the desk fails."""
        assert phone().get_by_role("link", name="+1 555 123 4567").get_attribute("href") == f"tel:{CALLER}"

    def test_without_a_script(self, phone: Open, urgent: EscalationStore) -> None:
        """Everything works except that the page does not update itself."""
        page = phone(java_script_enabled=False)
        expect(page.get_by_role("link", name="Look again")).to_be_visible()
        button(page, "Take the call").tap()
        says(page, "Your phone rings")

    def test_without_a_network(self, phone: Open, urgent: EscalationStore) -> None:
        """The page says that it is offline, and updates itself once the network is back."""
        page = phone()
        expect(page.locator("#link")).to_have_text("Live")
        page.route("**/transcript*", lambda route: route.fulfill(status=200, body="a captive portal's page"))
        expect(page.locator("#link")).to_have_text("Offline")
        page.unroute("**/transcript*")
        expect(page.locator("#link")).to_have_text("Live")

    def test_somebody_who_is_not_on_call_any_more(
        self, phone: Open, urgent: EscalationStore, roster: RosterStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An open page says so."""
        page = phone("ben", quiet=False)
        says(page, "A caller is waiting")
        roster.write(ROSTER.replace('"maria", "ben"', '"maria"').replace("people.ben", "people.bob"))
        monkeypatch.setattr("shared.on_call.store.READ_EVERY_S", -1.0)
        says(page, "You are not on call")
        check_with_axe(page)

    def test_an_old_link(self, phone: Open, urgent: EscalationStore, monkeypatch: pytest.MonkeyPatch) -> None:
        """The page says that the link has expired."""
        monkeypatch.setattr(desk_link, "LIFE_S", -1)
        page = phone(quiet=False)
        says(page, "This link has expired")
        check_with_axe(page)
        picture(page, "desk-expired")


def test_the_address_is_kept_to_oneself(phone: Open, urgent: EscalationStore) -> None:
    """The page requests nothing from other origins and stores nothing in the browser."""
    asked: list[str] = []
    page = phone()
    page.on("request", lambda request: asked.append(request.url))
    page.reload()
    expect(page.locator("#link")).to_have_text("Live")
    assert asked
    assert {url.split("/desk/")[0] for url in asked} == {page.url.split("/desk/")[0]}
    assert page.evaluate("document.cookie") == ""
    assert page.evaluate("Object.keys(localStorage).length") == 0
    assert urgent.get(ESCALATION_ID) is not None
    assert link() in page.url
    record = urgent.get(ESCALATION_ID)
    assert record is not None
    assert record.status is Status.ALERTED
