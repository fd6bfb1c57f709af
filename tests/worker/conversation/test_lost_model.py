"""The model's session is lost during a call, and is restored or not."""

from shared.calls.ending import CallEnd
from tests.worker.dialogue import (
    MU_LAW,
    STARTED_AT,
    Dialogue,
    of_type,
    only,
    outputs,
    requests,
    to_model,
    truncations,
)
from worker.conversation.effects import (
    AppendAudio,
    ClearPlayback,
    Connect,
    Effect,
    HangUp,
    ModelLost,
    OpenSpare,
    PlayAudio,
    SendMark,
    SpareNotOpened,
    SpareOpened,
    Timer,
    ToolFinished,
)
from worker.engines.realtime import events


def _back(dialogue: Dialogue) -> list[Effect]:
    """The session is restored after a short loss; returns the effects."""
    assert Timer.RECONNECT in dialogue.running
    assert of_type(dialogue.fire(Timer.RECONNECT), Connect)
    return dialogue.ready()


def test_final_loss(greeted: Dialogue) -> None:
    """If a retry would fail as well, the call ends; later events have no effect."""
    assert only(of_type(greeted.feed(ModelLost("model_closed: 4000", final=True)), HangUp)).ended is CallEnd.FAILED
    assert not greeted.caller_turn()


def test_model_cannot_be_reached(greeted: Dialogue) -> None:
    """After three tries or five seconds the call ends, and the caller hears an apology."""
    waits = []
    effects = greeted.feed(ModelLost("model_closed: 1011"))
    for _ in range(3):
        waits.append(greeted.running[Timer.RECONNECT] - greeted.now)
        assert of_type(greeted.fire(Timer.RECONNECT), Connect)
        effects = greeted.feed(ModelLost("model_unreachable: OSError"))
    assert waits == [200, 800, 2000]
    assert only(of_type(effects, HangUp)).ended is CallEnd.FAILED
    slow = Dialogue()
    slow.greeted()
    slow.feed(ModelLost("model_closed: 1011"))
    assert slow.running[Timer.SESSION] - slow.now == 5000
    assert of_type(slow.fire(Timer.SESSION), HangUp)


def test_model_is_lost_again_and_again(greeted: Dialogue) -> None:
    """If each new session is lost before it answers, the call ends after five of them."""
    greeted.caller_turn()
    for _ in range(5):
        assert not of_type(greeted.feed(ModelLost("model_closed: 1011")), HangUp)
        assert requests(_back(greeted))
    assert only(of_type(greeted.feed(ModelLost("model_closed: 1011")), HangUp)).reason == "model_lost_repeatedly"


def test_new_session_gets_the_transcript(greeted: Dialogue) -> None:
    """The new session is configured and gets the transcript and the tools' results, in order."""
    greeted.caller_turn("u1")
    greeted.feed(events.TranscriptionCompleted("u1", "When are you open?"))
    greeted.created("r1")
    greeted.calls("r1", "c1", "opening_hours", '{"day": "sunday"}')
    greeted.feed(ToolFinished("c1", "always"))
    greeted.created("r2", answers=only(requests(greeted.done("r1"))))
    begin, _ = of_type(greeted.says("r2", "i2", 2000, "We are open day and night."), SendMark)
    greeted.echo(begin.name)
    greeted.now += 1000
    greeted.caller_turn("u2")
    greeted.feed(events.TranscriptionCompleted("u2", "And the bar?"))
    greeted.feed(ModelLost("model_closed: 1001"))
    items = [event["item"] for event in to_model(_back(greeted), "conversation.item.create")]
    assert [(item["role"], item["content"][0]["text"]) for item in items] == [
        ("assistant", "Hello!"),
        ("user", "When are you open?"),
        ("system", 'You called opening_hours({"day": "sunday"}). It gave: always'),
        ("assistant", "We are open…"),
        ("user", "And the bar?"),
    ]


def test_cut_off_in_the_middle_of_a_sentence(greeted: Dialogue) -> None:
    """A lost response is continued, without a new greeting; the audio already sent plays on meanwhile."""
    greeted.caller_turn()
    greeted.created("r1")
    greeted.says("r1", "i1", 2000, "We are open")
    lost = greeted.feed(ModelLost("model_closed: 1001"))
    assert not of_type(lost, ClearPlayback)
    request = only(requests(_back(greeted)))
    assert "We are open" in request["response"]["instructions"]
    assert request["response"]["tool_choice"] == "auto"


def test_nothing_owed(greeted: Dialogue) -> None:
    """If it was the caller's turn, the restored session is not asked to speak."""
    greeted.feed(ModelLost("model_closed: 1001"))
    assert not requests(_back(greeted))
    assert Timer.SILENCE in greeted.running


def test_caller_talks_through_the_gap(greeted: Dialogue) -> None:
    """The newest six seconds of the caller's audio are buffered and sent to the new session."""
    greeted.feed(ModelLost("model_closed: 1001"))
    assert not any(greeted.hears(20) for _ in range(400))
    assert len(of_type(_back(greeted), AppendAudio)) == 300


def test_tool_that_outlives_its_session(greeted: Dialogue) -> None:
    """It is not run again; the new session does not know the function call, so it gets the result as text."""
    greeted.caller_turn()
    greeted.created("r1")
    greeted.calls("r1", "c1", "book_room", '{"nights": 2}')
    greeted.feed(ModelLost("model_closed: 1001"))
    request = only(requests(_back(greeted)))
    greeted.created("r2", answers=request)
    effects = greeted.feed(ToolFinished("c1", "booked"))
    assert not outputs(effects)
    assert "It gave: booked" in only(to_model(effects, "conversation.item.create"))["item"]["content"][0]["text"]
    assert requests(greeted.done("r2"))
    assert not greeted.feed(ToolFinished("c1", "again"))


def test_tool_that_finishes_in_the_gap(greeted: Dialogue) -> None:
    """The new session gets its result with the transcript."""
    greeted.created("r1")
    greeted.calls("r1", "c1", "book_room")
    greeted.feed(ModelLost("model_closed: 1001"))
    assert not to_model(greeted.feed(ToolFinished("c1", "booked")), "conversation.item.create")
    told = to_model(_back(greeted), "conversation.item.create")
    assert "It gave: booked" in told[-1]["item"]["content"][0]["text"]


def test_items_of_a_lost_session_are_not_truncated(greeted: Dialogue) -> None:
    """A barge-in into audio of the lost session clears the phone only: the new session does not know the item."""
    greeted.created("r1")
    greeted.says("r1", "i1", 4000, "one two three four")
    greeted.feed(ModelLost("model_closed: 1001"))
    _back(greeted)
    effects = greeted.caller_speaks("u1")
    assert of_type(effects, ClearPlayback)
    assert not truncations(effects)


def test_session_is_renewed_between_two_turns() -> None:
    """Two minutes before it expires a spare socket is opened, and used when neither side speaks."""
    dialogue = Dialogue()
    dialogue.feed(events.SessionCreated(events.NewSession(STARTED_AT.timestamp() + 3600)))
    assert dialogue.running[Timer.RENEWAL] == 3_480_000
    dialogue.created("greeting", answers=only(requests(dialogue.feed(events.SessionUpdated(MU_LAW)))))
    dialogue.says("greeting", "hello", 500, "Hello!")
    assert of_type(dialogue.fire(Timer.RENEWAL), OpenSpare)
    dialogue.feed(SpareNotOpened())
    assert of_type(dialogue.fire(Timer.RENEWAL), OpenSpare)
    assert not of_type(dialogue.feed(SpareOpened()), Connect)
    assert not of_type(dialogue.done("greeting"), Connect)
    assert of_type(dialogue.echo_all(), Connect)
    assert not dialogue.hears()
    effects = dialogue.ready()
    assert to_model(effects, "conversation.item.create")
    assert len(of_type(effects, AppendAudio)) == 1
    assert not requests(effects)


def test_lost_with_a_spare_socket() -> None:
    """The next try uses the spare socket; two sockets are never requested at once."""
    dialogue = Dialogue()
    dialogue.feed(events.SessionCreated(events.NewSession(STARTED_AT.timestamp() + 60)))
    dialogue.created("greeting", answers=only(requests(dialogue.feed(events.SessionUpdated(MU_LAW)))))
    dialogue.says("greeting", "hello", 500, "Hello!")
    dialogue.done("greeting")
    dialogue.echo_all()
    dialogue.fire(Timer.RENEWAL)
    dialogue.feed(ModelLost("model_closed: 1001"))
    assert not of_type(dialogue.feed(SpareOpened()), Connect)
    assert len(of_type(dialogue.fire(Timer.RECONNECT), Connect)) == 1
    assert not of_type(dialogue.ready(), Connect)


def test_dead_air(greeted: Dialogue) -> None:
    """After each 1.5 s of silence the caller hears a tone, so that they know that the line is alive."""
    greeted.feed(ModelLost("model_closed: 1001"))
    assert greeted.running[Timer.DEAD_AIR] - greeted.now == 1500
    tone = greeted.fire(Timer.DEAD_AIR)
    assert of_type(tone, PlayAudio)
    assert Timer.DEAD_AIR not in greeted.running
    greeted.echo_all()
    assert Timer.DEAD_AIR in greeted.running
    _back(greeted)
    assert Timer.DEAD_AIR not in greeted.running


def test_goodbye_is_said_by_the_next_session(greeted: Dialogue) -> None:
    """A goodbye that was lost with its session is said by the next one, and then the call ends."""
    greeted.created("r1")
    greeted.calls("r1", "c1", "end_call")
    greeted.created("r2", answers=only(requests(greeted.done("r1"))))
    greeted.feed(ModelLost("model_closed: 1001"))
    request = only(requests(_back(greeted)))
    assert "goodbye" in request["response"]["instructions"]
    greeted.created("r3", answers=request)
    greeted.says("r3", "bye", 500)
    greeted.done("r3")
    assert of_type(greeted.echo_all(), HangUp)


def test_required_once_is_remembered() -> None:
    """A tool that ran in one session counts for the next one as well."""
    dialogue = Dialogue(tool_choice="required_once")
    dialogue.greeted()
    dialogue.created("r1")
    dialogue.calls("r1", "c1", "opening_hours")
    dialogue.feed(ToolFinished("c1", "always"))
    dialogue.feed(ModelLost("model_closed: 1001"))
    _back(dialogue)
    assert to_model(dialogue.effects, "session.update")[-1]["session"]["tool_choice"] == "auto"
