"""What the agent knows of the escalation's progress, and what it tells the caller."""

import json
from typing import Any

import pytest

from shared.escalations.record import Status
from tests.worker.conversation.waiting import ASKED, asks, checks, sees, speaks, status
from tests.worker.dialogue import Dialogue, of_type, only, outputs, requests, to_model
from worker.conversation.effects import (
    CheckEscalation,
    EscalationNotSeen,
    EscalationNotSent,
    EscalationSeen,
    EscalationSent,
    SendEscalation,
    Timer,
)


def _told(effects: list[Any]) -> str:
    """The instructions of the requested response."""
    return str(only(requests(effects))["response"]["instructions"])


def test_it_is_checked_while_it_is_open(greeted: Dialogue) -> None:
    """Checks begin with the escalation; the next one is scheduled after each result, one at a time."""
    assert Timer.ESCALATION_CHECK not in greeted.running
    asks(greeted)
    assert checks(greeted) == "CA1-1"
    assert Timer.ESCALATION_CHECK not in greeted.running
    greeted.feed(EscalationSeen("CA1-1", Status.ALERTED))
    assert checks(greeted) == "CA1-1"


def test_a_change_is_told_once(greeted: Dialogue) -> None:
    """The caller is told once that a person is coming."""
    asks(greeted)
    for nothing_new in (Status.QUEUED, Status.ALERTED):
        assert not requests(sees(greeted, nothing_new))
    effects = sees(greeted, Status.ACCEPTED, "Maria Lopez")
    note = only(to_model(effects, "conversation.item.create"))["item"]
    assert (note["role"], note["content"][0]["text"]) == (
        "system",
        "Maria Lopez has taken the request and will join this call in a moment.",
    )
    assert "Maria Lopez" in _told(effects)
    assert requests(effects)[0]["response"]["tool_choice"] == "none"
    speaks(greeted, requests(effects)[0], "r1")
    assert not requests(sees(greeted, Status.ACCEPTED, "Maria Lopez"))


def test_another_person_is_told(greeted: Dialogue) -> None:
    """If the assignee changes, the caller is told the new name."""
    asks(greeted)
    speaks(greeted, only(requests(sees(greeted, Status.ACCEPTED, "Maria"))), "r1")
    assert "Ben" in _told(sees(greeted, Status.ACCEPTED, "Ben"))


def test_a_person_who_does_not_come(greeted: Dialogue) -> None:
    """Others are alerted. The agent gets a note, and tells the caller only if asked."""
    asks(greeted)
    speaks(greeted, only(requests(sees(greeted, Status.ACCEPTED, "Maria"))), "r1")
    effects = sees(greeted, Status.ALERTED)
    assert not requests(effects)
    assert "Maria could not join" in str(to_model(effects, "conversation.item.create"))
    assert status(greeted, "s1")["status"] == "nobody_yet"


def test_an_outdated_update_is_not_told(greeted: Dialogue) -> None:
    """It waited for the caller to finish; meanwhile the escalation became unassigned."""
    asks(greeted)
    greeted.caller_speaks()
    assert not requests(sees(greeted, Status.ACCEPTED, "Maria"))
    sees(greeted, Status.ALERTED)
    greeted.caller_turn("u2")
    answer = only(requests(greeted.fire(Timer.VAD_RESPONSE)))
    assert "instructions" not in answer["response"]


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        ((Status.CALLBACK, None), "somebody will call back"),
        ((Status.EXPIRED, None), "somebody will call back"),
        ((Status.ACCEPTED, "Maria"), "Maria has taken the request and will call the caller back"),
    ],
)
def test_a_callback(greeted: Dialogue, seen: tuple[Status, str | None], words: str) -> None:
    """Promised by the escalation policy, or accepted by a person: the caller is told once."""
    asks(greeted)
    calling_back = seen[1] is not None
    effects = sees(greeted, *seen, calling_back=calling_back)
    assert words in _told(effects)
    speaks(greeted, requests(effects)[0], "r1")
    assert not requests(sees(greeted, *seen, calling_back=calling_back))
    assert words in status(greeted, "s1")["note"]


def test_no_callback_without_a_number() -> None:
    """Without a number no callback is promised: the agent asks for one, and then promises it."""
    dialogue = Dialogue(caller="anonymous")
    dialogue.greeted()
    asks(dialogue)
    request = only(requests(sees(dialogue, Status.CALLBACK)))
    assert "nobody can call back" in request["response"]["instructions"]
    speaks(dialogue, request, "r1")
    dialogue.created("r2")
    arguments = {**json.loads(ASKED), "callback_number": "+15557654321"}
    dialogue.calls("r2", "c2", "escalate_to_human", json.dumps(arguments))
    dialogue.feed(EscalationSent("c2"))
    speaks(dialogue, only(requests(dialogue.done("r2"))), "r3")
    assert "somebody will call back" in status(dialogue, "s1")["note"]


def test_what_the_status_tool_says(greeted: Dialogue) -> None:
    """Each status: not asked, being sent, not sent, nobody yet, and the assignee with the time since the request."""
    assert status(greeted, "s1")["status"] == "not_asked"
    greeted.created("r1")
    greeted.calls("r1", "c1", "escalate_to_human", ASKED)
    sending = outputs(greeted.calls("r1", "s2", "escalation_status"))["s2"]
    assert json.loads(sending)["status"] == "being_sent"
    greeted.feed(EscalationNotSent("c1"))
    unsent = json.loads(outputs(greeted.calls("r1", "s3", "escalation_status"))["s3"])
    assert (unsent["status"], "NOT be sent" in unsent["note"]) == ("not_sent", True)
    speaks(greeted, only(requests(greeted.done("r1"))), "r2")
    again = only(of_type(greeted.fire(Timer.ESCALATION), SendEscalation))
    speaks(greeted, only(requests(greeted.feed(EscalationSent(again.call_id)))), "r3")
    greeted.now += 90_000  # beside the 15 s after which it was sent again
    assert status(greeted, "s4") | {"note": ""} == {"status": "nobody_yet", "seconds_since_asked": 105, "note": ""}
    speaks(greeted, only(requests(sees(greeted, Status.ACCEPTED, "Maria"))), "r4")
    assert (status(greeted, "s5")["status"], status(greeted, "s6")["person"]) == ("person_coming", "Maria")


def test_a_check_that_fails(greeted: Dialogue) -> None:
    """It is repeated; meanwhile the status tool gives the last known status and its age."""
    asks(greeted)
    assert checks(greeted)
    assert not requests(greeted.feed(EscalationNotSeen("CA1-1")))
    told = status(greeted, "s1")["note"]
    assert "cannot be looked up" in told
    assert "it was sent" in told
    speaks(greeted, only(requests(sees(greeted, Status.ACCEPTED, "Maria"))), "r1")
    checks(greeted)
    greeted.now += 8_000  # and one until the check
    greeted.feed(EscalationNotSeen("CA1-1"))
    told = status(greeted, "s2")["note"]
    assert "cannot be looked up" in told
    assert "9 seconds ago: Maria" in told
    sees(greeted, Status.ACCEPTED, "Maria")
    assert "cannot be looked up" not in status(greeted, "s3")["note"]


@pytest.mark.parametrize("over", [Status.CONNECTED, Status.RESOLVED])
def test_after_it_is_handled_the_next_one_is_new(greeted: Dialogue, over: Status) -> None:
    """The caller is told nothing, checks stop, and the next escalation gets the next number."""
    asks(greeted)
    assert not requests(sees(greeted, over, "Maria"))
    assert Timer.ESCALATION_CHECK not in greeted.running
    assert status(greeted, "s1")["status"] == "over"
    greeted.created("r1")
    second = only(of_type(greeted.calls("r1", "c2", "escalate_to_human", ASKED), SendEscalation)).escalation
    assert (second.escalation_id, second.revision) == ("CA1-2", 1)
    assert json.loads(outputs(greeted.feed(EscalationSent("c2")))["c2"])["status"] == "sent"
    assert checks(greeted) == "CA1-2"


@pytest.mark.parametrize("stored", [True, False])
def test_a_revision_in_flight_when_it_was_handled_is_sent_as_new(greeted: Dialogue, stored: bool) -> None:
    """Nobody would read another revision of a handled escalation."""
    asks(greeted)
    checks(greeted)
    greeted.created("r1")
    greeted.calls("r1", "c2", "escalate_to_human", ASKED)
    greeted.feed(EscalationSeen("CA1-1", Status.RESOLVED, "Maria"))
    effects = greeted.feed(EscalationSent("c2") if stored else EscalationNotSent("c2"))
    if not stored:
        effects = greeted.fire(Timer.ESCALATION)
    again = only(of_type(effects, SendEscalation))
    assert again.escalation.escalation_id == "CA1-2"
    greeted.feed(EscalationSent(again.call_id))
    assert greeted.call.escalation_requests.open == "CA1-2"


def test_a_retry_in_flight_when_it_was_handled_is_sent_as_new(greeted: Dialogue) -> None:
    """It is sent again once, and the model is told only after the queue has accepted it."""
    asks(greeted)
    checks(greeted)
    greeted.created("r1")
    greeted.calls("r1", "c2", "escalate_to_human", ASKED)
    greeted.feed(EscalationNotSent("c2"))
    greeted.done("r1")
    retry = only(of_type(greeted.fire(Timer.ESCALATION), SendEscalation))
    greeted.feed(EscalationSeen("CA1-1", Status.RESOLVED, "Maria"))
    effects = greeted.feed(EscalationSent(retry.call_id))
    again = only(of_type(effects, SendEscalation))
    assert again.escalation.escalation_id == "CA1-2"
    assert not to_model(effects, "conversation.item.create")
    told = to_model(greeted.feed(EscalationSent(again.call_id)), "conversation.item.create")
    assert "has been sent now" in only(told)["item"]["content"][0]["text"]
    assert greeted.call.escalation_requests.unsent is None


def test_a_caller_who_waits_for_a_person_may_be_silent(greeted: Dialogue) -> None:
    """The agent tells a silent caller that people are being asked, or that one is coming, and does not hang up."""
    asks(greeted)
    _is_told_into_silence(greeted, "people are being asked")
    speaks(greeted, only(requests(sees(greeted, Status.ACCEPTED, "Maria"))), "r1")
    _is_told_into_silence(greeted, "Maria is about to join")


def _is_told_into_silence(dialogue: Dialogue, words: str) -> None:
    for count in range(3):
        request = only(requests(dialogue.fire(Timer.SILENCE)))
        assert words in request["response"]["instructions"]
        speaks(dialogue, request, f"{words} {count}")


def test_a_caller_who_does_not_wait_for_a_person_may_not(greeted: Dialogue) -> None:
    """After a promised callback or a failed check, the usual question and goodbye follow a silence."""
    asks(greeted)
    checks(greeted)
    greeted.feed(EscalationNotSeen("CA1-1"))
    request = only(requests(greeted.fire(Timer.SILENCE)))
    assert "still there" in request["response"]["instructions"]
    speaks(greeted, request, "r1")
    speaks(greeted, only(requests(sees(greeted, Status.CALLBACK))), "r2")
    assert "goodbye" in only(requests(greeted.fire(Timer.SILENCE)))["response"]["instructions"]


def test_a_late_result_for_an_earlier_escalation_is_ignored(greeted: Dialogue) -> None:
    """Only results for the open escalation count."""
    asks(greeted)
    assert not requests(greeted.feed(EscalationSeen("CA1-9", Status.ACCEPTED, "Maria")))
    assert not of_type(greeted.feed(EscalationNotSeen("CA1-9")), CheckEscalation)
