"""What the agent knows of the people who were asked, and what it tells the caller."""

import json
from typing import Any

import pytest

from shared.escalations.record import Status
from tests.worker.conversation.waiting import ASKED, asks, looks, sees, speaks, status
from tests.worker.dialogue import Dialogue, of_type, only, outputs, requests, to_model
from worker.conversation.effects import (
    EscalationNotSeen,
    EscalationNotSent,
    EscalationSeen,
    EscalationSent,
    LookAtEscalation,
    SendEscalation,
    Timer,
)


def _told(effects: list[Any]) -> str:
    """What the agent is asked to say."""
    return str(only(requests(effects))["response"]["instructions"])


def test_it_is_looked_at_while_it_is_open(greeted: Dialogue) -> None:
    """Not before there is one; then after every answer, with one look out at a time."""
    assert Timer.ESCALATION_WATCH not in greeted.running
    asks(greeted)
    assert looks(greeted) == "CA1-1"
    assert Timer.ESCALATION_WATCH not in greeted.running
    greeted.feed(EscalationSeen("CA1-1", Status.ALERTED))
    assert looks(greeted) == "CA1-1"


def test_no_news_is_told_once(greeted: Dialogue) -> None:
    """The caller hears that somebody is coming, and not every second."""
    asks(greeted)
    for nothing_new in (Status.QUEUED, Status.ALERTED):
        assert not requests(sees(greeted, nothing_new))
    effects = sees(greeted, Status.ACCEPTED, "Maria Lopez")
    news = only(to_model(effects, "conversation.item.create"))["item"]
    assert (news["role"], news["content"][0]["text"]) == (
        "system",
        "Maria Lopez has taken the request and will join this call in a moment.",
    )
    assert "Maria Lopez" in _told(effects)
    assert requests(effects)[0]["response"]["tool_choice"] == "none"
    speaks(greeted, requests(effects)[0], "r1")
    assert not requests(sees(greeted, Status.ACCEPTED, "Maria Lopez"))


def test_another_person_is_news(greeted: Dialogue) -> None:
    """Whoever is said to come is who comes."""
    asks(greeted)
    speaks(greeted, only(requests(sees(greeted, Status.ACCEPTED, "Maria"))), "r1")
    assert "Ben" in _told(sees(greeted, Status.ACCEPTED, "Ben"))


def test_a_person_who_does_not_come(greeted: Dialogue) -> None:
    """Others are asked; the agent knows it, and says it when it is asked."""
    asks(greeted)
    speaks(greeted, only(requests(sees(greeted, Status.ACCEPTED, "Maria"))), "r1")
    effects = sees(greeted, Status.ALERTED)
    assert not requests(effects)
    assert "Maria could not join" in str(to_model(effects, "conversation.item.create"))
    assert status(greeted, "s1")["status"] == "nobody_yet"


def test_news_that_is_not_true_any_more_is_not_told(greeted: Dialogue) -> None:
    """It waited for the caller to finish; meanwhile the person has let go of the call."""
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
def test_a_call_back(greeted: Dialogue, seen: tuple[Status, str | None], words: str) -> None:
    """Promised by the ladder, or taken on by somebody: the caller hears it, and once."""
    asks(greeted)
    calling_back = seen[1] is not None
    effects = sees(greeted, *seen, calling_back=calling_back)
    assert words in _told(effects)
    speaks(greeted, requests(effects)[0], "r1")
    assert not requests(sees(greeted, *seen, calling_back=calling_back))
    assert words in status(greeted, "s1")["note"]


def test_no_call_back_without_a_number() -> None:
    """Nobody is promised to whom nobody can keep it: the agent asks for a number, which then is enough."""
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
    """Only what is known: from nobody asked, over on its way, to who has taken it and how long ago it was asked for."""
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


def test_a_table_that_does_not_answer(greeted: Dialogue) -> None:
    """It is asked again; meanwhile nothing is told, and the agent says what it knew and since when."""
    asks(greeted)
    assert looks(greeted)
    assert not requests(greeted.feed(EscalationNotSeen("CA1-1")))
    told = status(greeted, "s1")["note"]
    assert "cannot be looked up" in told
    assert "it was sent" in told
    speaks(greeted, only(requests(sees(greeted, Status.ACCEPTED, "Maria"))), "r1")
    looks(greeted)
    greeted.now += 8_000  # and one until the look
    greeted.feed(EscalationNotSeen("CA1-1"))
    told = status(greeted, "s2")["note"]
    assert "cannot be looked up" in told
    assert "9 seconds ago: Maria" in told
    sees(greeted, Status.ACCEPTED, "Maria")
    assert "cannot be looked up" not in status(greeted, "s3")["note"]


@pytest.mark.parametrize("over", [Status.CONNECTED, Status.RESOLVED])
def test_after_it_is_over_the_next_one_is_new(greeted: Dialogue, over: Status) -> None:
    """A person has dealt with it: nothing is told or looked at, and what the caller needs next gets its own number."""
    asks(greeted)
    assert not requests(sees(greeted, over, "Maria"))
    assert Timer.ESCALATION_WATCH not in greeted.running
    assert status(greeted, "s1")["status"] == "over"
    greeted.created("r1")
    second = only(of_type(greeted.calls("r1", "c2", "escalate_to_human", ASKED), SendEscalation)).escalation
    assert (second.escalation_id, second.revision) == ("CA1-2", 1)
    assert json.loads(outputs(greeted.feed(EscalationSent("c2")))["c2"])["status"] == "sent"
    assert looks(greeted) == "CA1-2"


@pytest.mark.parametrize("stored", [True, False])
def test_what_was_on_its_way_when_it_was_over_is_sent_as_new(greeted: Dialogue, stored: bool) -> None:
    """Nobody would look at another revision of what is dealt with."""
    asks(greeted)
    looks(greeted)
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


def test_a_retry_on_its_way_when_it_was_over_is_sent_as_new(greeted: Dialogue) -> None:
    """What the queue did not take at first goes out again, once, and the model hears nothing before it has arrived."""
    asks(greeted)
    looks(greeted)
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


def test_whoever_waits_may_be_silent(greeted: Dialogue) -> None:
    """While people are asked, or one is coming, the caller is told so, and never hung up on for saying nothing."""
    asks(greeted)
    _is_told_into_silence(greeted, "people are being asked")
    speaks(greeted, only(requests(sees(greeted, Status.ACCEPTED, "Maria"))), "r1")
    _is_told_into_silence(greeted, "Maria is about to join")


def _is_told_into_silence(dialogue: Dialogue, words: str) -> None:
    for count in range(3):
        request = only(requests(dialogue.fire(Timer.SILENCE)))
        assert words in request["response"]["instructions"]
        speaks(dialogue, request, f"{words} {count}")


def test_whoever_waits_for_nobody_may_not(greeted: Dialogue) -> None:
    """Somebody will call back, or nothing is known: a silent caller is asked, and then hung up on, as ever."""
    asks(greeted)
    looks(greeted)
    greeted.feed(EscalationNotSeen("CA1-1"))
    request = only(requests(greeted.fire(Timer.SILENCE)))
    assert "still there" in request["response"]["instructions"]
    speaks(greeted, request, "r1")
    speaks(greeted, only(requests(sees(greeted, Status.CALLBACK))), "r2")
    assert "goodbye" in only(requests(greeted.fire(Timer.SILENCE)))["response"]["instructions"]


def test_a_late_look_at_an_old_one_is_nothing(greeted: Dialogue) -> None:
    """What is not open any more is nobody's matter here."""
    asks(greeted)
    assert not requests(greeted.feed(EscalationSeen("CA1-9", Status.ACCEPTED, "Maria")))
    assert not of_type(greeted.feed(EscalationNotSeen("CA1-9")), LookAtEscalation)
