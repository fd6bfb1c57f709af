"""The desk's pages: who may see which, and that opening one changes nothing."""

import re
from datetime import UTC, datetime
from urllib.parse import urljoin

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr

from functions.desk.web.headers import HEADERS, SCRIPT, STYLE
from shared.calls.ending import CallEnd
from shared.calls.store import CallStore
from shared.calls.transcript import TranscriptEntry
from shared.escalations.store import EscalationStore
from shared.on_call import link as desk_link
from shared.on_call.store import RosterStore
from tests.escalations import CALL_SID, CALLER, escalation
from tests.functions.desk.desk_requests import (
    AUTH_TOKEN,
    ESCALATION_ID,
    PUBLIC_URL,
    ROSTER,
    SIGNING_KEY,
    altered,
    asks,
    form_of,
    headline,
    link,
    look,
    tap,
)
from tests.twilio_rest import TwilioRest

NOW = datetime.now(UTC)


def another(escalations: EscalationStore, number: int, **fields: object) -> str:
    """Stores one more escalation; returns its id."""
    sid = f"CA{number:032d}"
    escalations.upsert(escalation(escalation_id=f"{sid}-1", call_sid=sid, **fields), NOW)
    return f"{sid}-1"


class TestLinks:
    """A link opens one escalation for one person."""

    @pytest.mark.usefixtures("alerted")
    def test_the_page(self, web: TestClient) -> None:
        """Who calls, why, how urgent, and the next action."""
        page = look(web, link())
        assert headline(page) == "A caller is waiting"
        assert f'<a href="tel:{CALLER}">+1 555 123 4567</a>' in page
        for words in ("Refund", "Charged twice for order 12", "Normal urgency", "1 minute", "Take the call"):
            assert words in page

    @pytest.mark.usefixtures("alerted")
    def test_no_one_elses_escalation(self, web: TestClient, escalations: EscalationStore) -> None:
        """The page shows nothing about another caller."""
        another(escalations, 7, caller="+15550009999", reason="lost_property")
        page = look(web, link())
        assert "9999" not in page
        assert "Lost property" not in page

    @pytest.mark.usefixtures("alerted")
    @pytest.mark.parametrize(
        "wrong",
        [altered(link()), link()[2:], "conference", "none", "%F0%9F%92%A9"],
        ids=["altered", "cut", "conference", "none", "emoji"],
    )
    def test_an_altered_link(self, web: TestClient, wrong: str) -> None:
        """403, with a page that says so, for each path under it."""
        for path in ("", "/open", "/transcript"):
            answer = web.get(f"/desk/{wrong}{path}")
            assert (answer.status_code, headline(answer.text)) == (403, "This link does not work")
        answer = web.post(f"/desk/{wrong}/take", data={"form": "x"})
        assert answer.status_code == 403

    @pytest.mark.usefixtures("alerted")
    def test_a_link_of_another_key(self, web: TestClient, environ: pytest.MonkeyPatch) -> None:
        """403, since it was not signed with our key."""
        foreign = link()
        environ.setenv("SIGNING_KEY", SIGNING_KEY + "2")
        assert web.get(f"/desk/{foreign}").status_code == 403

    def test_an_old_link(self, web: TestClient, alerted: EscalationStore, monkeypatch: pytest.MonkeyPatch) -> None:
        """410, also for a tap, which then changes nothing."""
        token = link()
        form = form_of(look(web, token))
        monkeypatch.setattr(desk_link, "LIFE_S", -1)
        answer = web.get(f"/desk/{token}")
        assert (answer.status_code, headline(answer.text)) == (410, "This link has expired")
        assert tap(web, token, "take", form).status_code == 410
        record = alerted.get(ESCALATION_ID)
        assert record is not None
        assert record.assignee is None

    @pytest.mark.usefixtures("alerted")
    def test_somebody_who_is_on_call_no_more(
        self, web: TestClient, roster: RosterStore, environ: pytest.MonkeyPatch
    ) -> None:
        """403 as soon as the roster does not have them, and no phone rings."""
        form = form_of(look(web, link("ben")))
        roster.write(ROSTER.replace('"maria", "ben"', '"maria"').replace("people.ben", "people.bob"))
        environ.setattr("shared.on_call.store.READ_EVERY_S", -1.0)
        answer = web.get(f"/desk/{link('ben')}")
        assert (answer.status_code, headline(answer.text)) == (403, "You are not on call")
        assert tap(web, link("ben"), "take", form).status_code == 403
        assert web.get(f"/desk/{link()}").status_code == 200

    def test_an_escalation_that_is_gone(self, web: TestClient) -> None:
        """404, once it has been deleted after a month."""
        answer = web.get(f"/desk/{link()}")
        assert (answer.status_code, headline(answer.text)) == (404, "Nothing is here any more")

    def test_no_table(self, web: TestClient, environ: pytest.MonkeyPatch) -> None:
        """503, with a link to the same page, whatever the path of PUBLIC_URL is."""
        environ.setenv("TABLE_NAME", "no-table")
        environ.setenv("PUBLIC_URL", f"{PUBLIC_URL}/prod")
        at = f"/desk/{link()}"
        for path, answer, again in (
            (at, web.get(at), at),
            (f"{at}/open", web.get(f"{at}/open"), f"{at}/open"),
            (f"{at}/take", web.post(f"{at}/take", data={"form": "any"}), at),
        ):
            assert answer.status_code == 503
            [href] = re.findall(r'<a class="big" href="([^"]+)"', answer.text)
            assert urljoin(f"{PUBLIC_URL}/prod{path}", href) == f"{PUBLIC_URL}/prod{again}"

    def test_wrong_settings(self, web: TestClient, environ: pytest.MonkeyPatch) -> None:
        """503, without the names of the settings."""
        environ.delenv("SIGNING_KEY")
        answer = web.get("/desk/any")
        assert (answer.status_code, headline(answer.text)) == (503, "The desk is not set up")
        assert AUTH_TOKEN not in answer.text

    @pytest.mark.usefixtures("alerted")
    def test_nonsense_in_the_query(self, web: TestClient) -> None:
        """400, as a page."""
        answer = web.get(f"/desk/{link()}/transcript?after=x")
        assert answer.status_code == 400
        assert headline(answer.text)


def test_reading_changes_nothing(web: TestClient, alerted: EscalationStore, twilio: TwilioRest) -> None:
    """A phone's preview may open the link, request only its headers, or try paths under it."""
    before = alerted.get(ESCALATION_ID)
    token = link()
    for path in ("", "/open", "/transcript", "/take", "/call-back", "/pass-on", "/resolve", "/pressed"):
        web.get(f"/desk/{token}{path}")
        web.head(f"/desk/{token}{path}")
    assert alerted.get(ESCALATION_ID) == before
    assert twilio.calls == []


@pytest.mark.usefixtures("alerted")
def test_every_answer_has_the_headers(web: TestClient) -> None:
    """Pages, refusals, redirects, and answers to Twilio."""
    token = link()
    answers = [
        web.get(f"/desk/{token}"),
        web.get("/desk/none"),
        web.get("/nowhere"),
        web.post(f"/desk/{token}/pass-on", data={"form": form_of(look(web, token))}, follow_redirects=False),
        asks(web, f"/desk/{token}/offer"),
    ]
    for answer in answers:
        assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
        assert "set-cookie" not in answer.headers


@pytest.mark.usefixtures("alerted")
def test_nothing_runs_but_our_own(web: TestClient) -> None:
    """The policy allows the page's one script and one style sheet by their hashes, and no code in attributes."""
    page = look(web, link())
    assert re.findall(r"<script>(.*?)</script>", page, re.DOTALL) == [SCRIPT]
    assert re.findall(r"<style>(.*?)</style>", page, re.DOTALL) == [STYLE]
    assert not re.search(r"<[^>]+\s(style|on\w+)=", page)
    policy = HEADERS["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_what_a_caller_says_is_only_text(web: TestClient, escalations: EscalationStore, calls: CallStore) -> None:
    """HTML in a caller's words is escaped."""
    evil = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
    escalations.upsert(escalation(summary=evil, reason=evil, caller=f"sip:{evil}"), NOW)
    calls.keep_turns({(CALL_SID, 0, 0): TranscriptEntry(role="caller", text=evil, at=NOW)})
    for path in ("", "/open", "/transcript"):
        page = web.get(f"/desk/{link()}{path}").text
        assert "<script>alert" not in page
        assert "<img" not in page


@pytest.mark.usefixtures("alerted")
class TestTranscript:
    """The transcript and its updates."""

    def test_from_the_escalation_at_first(self, web: TestClient) -> None:
        """Before the worker has stored a transcript entry."""
        assert "I was charged twice" in look(web, link())

    def test_only_what_is_new(self, web: TestClient, calls: CallStore) -> None:
        """Entries after an index, without tool outputs."""
        for index, role in enumerate(("agent", "caller", "tool", "agent")):
            calls.keep_turns({(CALL_SID, index, 0): TranscriptEntry(role=role, text=f"turn {index}", at=NOW)})
        update = web.get(f"/desk/{link()}/transcript?after=0").text
        assert re.findall(r'id="turn-(\d)"', update) == ["1", "3"]
        assert "turn 2" not in look(web, link())

    def test_changes_of_the_rest(self, web: TestClient, alerted: EscalationStore, calls: CallStore) -> None:
        """The update's state changes when a person acts and when the caller hangs up."""

        def state() -> str:
            found = re.search(r'data-state="([^"]+)"', web.get(f"/desk/{link()}/transcript").text)
            assert found is not None
            return found[1]

        states = [state()]
        alerted.change(ESCALATION_ID, lambda record: record.declined("ben", NOW))
        states.append(state())
        calls.record_end(CALL_SID, CallEnd.CALLER_HUNG_UP)
        states.append(state())
        assert len(set(states)) == 3


class TestList:
    """The list of open escalations."""

    @pytest.mark.usefixtures("alerted")
    def test_each_with_a_link_of_the_same_person(self, web: TestClient, escalations: EscalationStore) -> None:
        """The most urgent first, those with an assignee last."""
        taken = another(escalations, 7, urgency="high", reason="flood")
        escalations.change(taken, lambda record: record.accepted("ben", NOW, NOW, name="Ben Okafor"))
        urgent = another(escalations, 8, urgency="high", reason="fire", caller="anonymous")
        page = web.get(f"/desk/{link()}/open").text
        assert headline(page) == "2 callers are waiting"
        assert re.findall(r"<strong>(\w+)</strong>", page) == ["Fire", "Refund", "Flood"]
        assert "Ben Okafor is on it" in page
        first = re.findall(r'class="card" href="/desk/([^"]+)"', page)[0]
        read = desk_link.verify(web_key(), first)
        assert (read.escalation_id, read.person) == (urgent, "maria")
        assert "Number withheld" in look(web, first)

    def test_what_is_dealt_with_is_not_in_it(self, web: TestClient, alerted: EscalationStore) -> None:
        """If everything is resolved, the list is empty."""
        alerted.change(ESCALATION_ID, lambda record: record.resolved("ben", NOW, "done"))
        page = web.get(f"/desk/{link()}/open").text
        assert headline(page) == "Nobody is waiting"
        assert 'class="card"' not in page


def web_key() -> SecretStr:
    """The key that the links are signed with."""
    return SecretStr(SIGNING_KEY)
