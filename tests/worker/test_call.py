"""One conversation: what a call does about what the phone, the model, tools and timers say."""

import json

import pytest

from shared.call_store import CallEnd
from shared.escalation import Turn
from tests.worker.dialogue import (
    MU_LAW,
    STARTED_AT,
    Dialogue,
    audio,
    of_type,
    only,
    outputs,
    played_ms,
    requests,
    to_model,
    truncations,
)
from worker.effects import (
    AppendAudio,
    ClearPlayback,
    Connect,
    Effect,
    EscalationNotSent,
    EscalationSent,
    HangUp,
    KeepTurns,
    ModelLost,
    OpenSpare,
    PlayAudio,
    RunTool,
    SendEscalation,
    SendMark,
    SpareNotOpened,
    SpareOpened,
    StreamLost,
    Timer,
    ToolFinished,
)
from worker.media_stream import Stop
from worker.realtime import events
from worker.realtime.events import Item
from worker.transcript import Past


@pytest.fixture
def greeted() -> Dialogue:
    """A call whose greeting has been heard."""
    dialogue = Dialogue()
    dialogue.greeted()
    return dialogue


# The session


def test_first_words() -> None:
    """The agent speaks first, with the words of its profile and without a tool."""
    dialogue = Dialogue()
    request = only(requests(dialogue.ready()))
    assert request["response"]["tool_choice"] == "none"
    assert '"Hello!"' in request["response"]["instructions"]
    assert request["response"]["instructions"].startswith("You are the front desk.")


def test_early_audio_is_kept() -> None:
    """Audio from before the session is ready follows once it is, the last two seconds of it, in order."""
    dialogue = Dialogue()
    early = [dialogue.hears(20) for _ in range(120)]
    assert not any(early)
    dialogue.feed(events.SessionCreated({}))
    flushed = of_type(dialogue.feed(events.SessionUpdated(MU_LAW)), AppendAudio)
    assert len(flushed) == 100
    assert len(of_type(dialogue.hears(20), AppendAudio)) == 1


@pytest.mark.parametrize("direction", ["input", "output"])
def test_wrong_format(direction: str) -> None:
    """A session that reads back another audio format is no session: the caller would hear noise."""
    dialogue = Dialogue()
    session = json.loads(json.dumps(MU_LAW))
    session["audio"][direction]["format"] = {"type": "audio/pcm", "rate": 24000}
    end = only(of_type(dialogue.feed(events.SessionUpdated(session)), HangUp))
    assert end.ended is CallEnd.FAILED
    assert f"audio.{direction}.format" in end.reason


def test_rejected_session() -> None:
    """A refused session update ends the call with an apology instead of a silent line."""
    dialogue = Dialogue()
    dialogue.feed(events.SessionCreated({}))
    assert only(of_type(dialogue.fails("unknown_parameter"), HangUp)).ended is CallEnd.FAILED


def test_session_that_fails_for_now() -> None:
    """An error that may pass, in place of a session: its socket is closed, and another one is opened."""
    dialogue = Dialogue()
    assert not of_type(dialogue.fails("server_error"), HangUp)
    assert not of_type(dialogue.feed(ModelLost("model_closed: 1011")), HangUp)
    assert of_type(dialogue.fire(Timer.RECONNECT), Connect)


def test_session_never_ready() -> None:
    """A session that does not come in time fails the call."""
    dialogue = Dialogue()
    assert only(of_type(dialogue.fire(Timer.SESSION), HangUp)).reason == "session_not_ready"


# Barge-in


def test_barge_in_within_the_second_item(greeted: Dialogue) -> None:
    """Of items of 2 s and 4 s, interrupted just inside the second, the first stays whole, the second is cut."""
    greeted.created("r1")
    first = greeted.says("r1", "item1", 2000)
    second = greeted.says("r1", "item2", 4000)
    begin, end_of_first = of_type(first, SendMark)
    greeted.echo(begin.name)
    greeted.now += 2000
    greeted.echo(end_of_first.name)
    greeted.now += 150
    effects = greeted.caller_speaks()
    assert only(of_type(effects, ClearPlayback))
    assert truncations(effects) == {"item2": 150}
    assert len(of_type(second, PlayAudio)) == 1


def test_barge_in_after_the_response_is_done(greeted: Dialogue) -> None:
    """What still waits in Twilio's queue is cleared and cut, though the model has long finished."""
    greeted.created("r1")
    greeted.says("r1", "item1", 3000)
    greeted.done("r1")
    effects = greeted.caller_speaks()
    assert of_type(effects, ClearPlayback)
    assert truncations(effects) == {"item1": 0}


def test_late_deltas_are_dropped(greeted: Dialogue) -> None:
    """Audio that comes after the interruption is not played, and an item nobody heard is cut at its start."""
    greeted.created("r1")
    greeted.says("r1", "item1", 1000)
    greeted.caller_speaks()
    late = greeted.says("r1", "item1", 1000)
    assert not of_type(late, PlayAudio)
    assert not truncations(late)
    assert truncations(greeted.says("r1", "item2", 1000)) == {"item2": 0}
    assert not greeted.says("r1", "item2", 1000)


def test_item_heard_to_its_end_and_continued_late(greeted: Dialogue) -> None:
    """An item heard as far as it had come is cut there when more of it arrives after the interruption."""
    greeted.created("r1")
    for mark in of_type(greeted.says("r1", "item1", 1000), SendMark):
        greeted.echo(mark.name)
    assert not truncations(greeted.caller_speaks())
    assert truncations(greeted.says("r1", "item1", 500)) == {"item1": 1000}


def test_marks_echoed_by_clear_prove_nothing(greeted: Dialogue) -> None:
    """Twilio echoes the marks that it drops; they belong to an older generation."""
    greeted.created("r1")
    dropped = of_type(greeted.says("r1", "item1", 1000), SendMark)
    greeted.caller_speaks()
    greeted.done("r1", "cancelled")
    greeted.caller_turn()
    greeted.created("r2")
    greeted.says("r2", "item2", 1000)
    for mark in dropped:
        greeted.echo(mark.name)
    assert truncations(greeted.caller_speaks()) == {"item2": 0}


def test_nothing_to_interrupt(greeted: Dialogue) -> None:
    """A caller who speaks into silence causes neither clear nor truncation, and is no barge-in."""
    effects = greeted.caller_speaks()
    assert not of_type(effects, ClearPlayback)
    assert not truncations(effects)
    assert greeted.call.barge_ins == 0


def test_uninterruptible_agent() -> None:
    """Without `interrupt_response` the agent finishes, and then answers: the call itself asks for it."""
    dialogue = Dialogue(turn_detection={"type": "server_vad", "interrupt_response": False})
    dialogue.greeted()
    dialogue.feed(events.SpeechStarted("u1"))
    dialogue.feed(events.SpeechStopped("u1"))
    request = only(requests(dialogue.feed(events.Committed("u1"))))
    dialogue.created("r1", answers=request)
    dialogue.says("r1", "item1", 1000)
    effects = dialogue.caller_turn("u2")
    assert not of_type(effects, ClearPlayback)
    assert not requests(effects)
    assert requests(dialogue.done("r1"))


def test_response_begun_while_the_caller_speaks(greeted: Dialogue) -> None:
    """A response asked for before the caller spoke and begun after is cancelled: the server would let it talk on."""
    greeted.created("r1")
    greeted.calls("r1", "c1", "opening_hours")
    greeted.feed(ToolFinished("c1", "always"))
    request = only(requests(greeted.done("r1")))
    greeted.caller_speaks()
    effects = greeted.created("r2", answers=request)
    assert to_model(effects, "response.cancel") == [{"type": "response.cancel", "response_id": "r2"}]
    assert not of_type(greeted.says("r2", "item2", 500), PlayAudio)


# Tools


def test_tool_call(greeted: Dialogue) -> None:
    """A tool runs once, its output is sent once, and one response is asked for when the calling one is over."""
    greeted.caller_turn()
    greeted.created("r1")
    started = only(of_type(greeted.calls("r1", "c1", "opening_hours", '{"day": "sunday"}'), RunTool))
    assert (started.name, started.arguments) == ("opening_hours", '{"day": "sunday"}')
    assert not greeted.calls("r1", "c1", "opening_hours", '{"day": "sunday"}')
    assert outputs(greeted.feed(ToolFinished("c1", "closed"))) == {"c1": "closed"}
    assert not greeted.feed(ToolFinished("c1", "again"))
    request = only(requests(greeted.done("r1")))
    assert request["response"]["tool_choice"] == "auto"


def test_two_tools_one_response(greeted: Dialogue) -> None:
    """Both calls of a response are answered before the one response that sees both outputs is asked for."""
    greeted.created("r1")
    greeted.calls("r1", "c1", "opening_hours")
    greeted.calls("r1", "c2", "book_room", '{"nights": 2}')
    greeted.done("r1")
    assert not requests(greeted.feed(ToolFinished("c2", "booked")))
    assert len(requests(greeted.feed(ToolFinished("c1", "always")))) == 1


def test_interrupted_arguments(greeted: Dialogue) -> None:
    """A function call that was cut off is not run."""
    greeted.created("r1")
    item = Item("i", "function_call", status="incomplete", name="opening_hours", call_id="c1", arguments='{"da')
    assert not greeted.feed(events.OutputItemDone("r1", item))


def test_tool_finishes_while_the_caller_speaks(greeted: Dialogue) -> None:
    """The output is sent at once; the response that the server starts for the caller's turn speaks of it."""
    greeted.created("r1")
    greeted.calls("r1", "c1", "opening_hours")
    greeted.done("r1")
    greeted.caller_speaks()
    effects = greeted.feed(ToolFinished("c1", "always"))
    assert outputs(effects)
    assert not requests(effects)
    greeted.output_added("c1")
    greeted.feed(events.SpeechStopped())
    assert not requests(greeted.feed(events.Committed()))
    greeted.created("r2")
    assert not requests(greeted.done("r2"))


def test_output_too_late_for_the_servers_response(greeted: Dialogue) -> None:
    """A response that began before the output was taken in does not know of it, so another one is asked for."""
    greeted.created("r1")
    greeted.calls("r1", "c1", "opening_hours")
    greeted.done("r1")
    greeted.caller_turn()
    greeted.created("r2")
    greeted.feed(ToolFinished("c1", "always"))
    assert len(requests(greeted.done("r2"))) == 1


# Tool choice


@pytest.mark.parametrize("choice", ["required", "opening_hours"])
def test_forced_tool(choice: str) -> None:
    """The session forces a tool for every caller's turn; the reply after its output is free, so the agent speaks."""
    dialogue = Dialogue(tool_choice=choice)
    dialogue.feed(events.SessionCreated({}))
    session = only(to_model(dialogue.effects, "session.update"))["session"]
    assert session["tool_choice"] == (choice if choice == "required" else {"type": "function", "name": choice})
    request = only(requests(dialogue.feed(events.SessionUpdated(MU_LAW))))
    assert request["response"]["tool_choice"] == "none"
    dialogue.created("greeting", answers=request)
    dialogue.says("greeting", "hello", 500)
    dialogue.done("greeting")
    for turn in range(3):
        dialogue.caller_turn(f"u{turn}")
        dialogue.created(f"r{turn}")
        dialogue.calls(f"r{turn}", f"c{turn}", "opening_hours")
        dialogue.feed(ToolFinished(f"c{turn}", "always"))
        request = only(requests(dialogue.done(f"r{turn}")))
        assert request["response"]["tool_choice"] == "auto"
        dialogue.created(f"s{turn}", answers=request)
        dialogue.says(f"s{turn}", f"i{turn}", 500)
        dialogue.done(f"s{turn}")
    assert len(to_model(dialogue.effects, "session.update")) == 1


def test_required_once() -> None:
    """After the first tool has run the session is told `auto`, and nothing else of it is touched."""
    dialogue = Dialogue(tool_choice="required_once")
    dialogue.greeted()
    assert to_model(dialogue.effects, "session.update")[0]["session"]["tool_choice"] == "required"
    dialogue.caller_turn()
    dialogue.created("r1")
    dialogue.calls("r1", "c1", "opening_hours")
    update = only(to_model(dialogue.feed(ToolFinished("c1", "always")), "session.update"))
    assert update["session"] == {"type": "realtime", "tool_choice": "auto"}
    dialogue.calls("r1", "c2", "opening_hours")
    assert not to_model(dialogue.feed(ToolFinished("c2", "always")), "session.update")


def test_loop_guard() -> None:
    """A model that only calls tools is asked to speak without any after the set number of silent responses."""
    dialogue = Dialogue(limits={"max_silent_responses": 3})
    dialogue.greeted()
    dialogue.caller_turn()
    dialogue.created("r0")
    choices = []
    for turn in range(4):
        dialogue.calls(f"r{turn}", f"c{turn}", "opening_hours")
        dialogue.feed(ToolFinished(f"c{turn}", "always"))
        request = only(requests(dialogue.done(f"r{turn}")))
        choices.append(request["response"]["tool_choice"])
        dialogue.created(f"r{turn + 1}", answers=request)
    assert choices == ["auto", "auto", "none", "none"]


# Errors


def test_error_never_asks_for_a_response(greeted: Dialogue) -> None:
    """Whatever the error, it causes no `response.create`."""
    greeted.caller_turn()
    greeted.created("r1")
    greeted.calls("r1", "c1", "opening_hours")
    greeted.feed(ToolFinished("c1", "always"))
    request = only(requests(greeted.done("r1")))
    for code in ("response_cancel_not_active", "item_not_found", "something_new", "server_error"):
        assert not requests(greeted.fails(code, request["event_id"]))


def test_refused_request(greeted: Dialogue) -> None:
    """A request that met another response is made again once, when that one is over."""
    greeted.created("r1")
    greeted.calls("r1", "c1", "opening_hours")
    greeted.feed(ToolFinished("c1", "always"))
    assert requests(greeted.done("r1"))
    assert not requests(greeted.fails("conversation_already_has_active_response"))
    assert not requests(greeted.created("r2"))
    assert len(requests(greeted.done("r2"))) == 1


def test_greeting_overtaken_by_the_caller() -> None:
    """A greeting that met the answer to a caller who spoke first is not said any more."""
    dialogue = Dialogue()
    assert requests(dialogue.ready())
    dialogue.caller_turn()
    dialogue.created("r1")
    dialogue.fails("conversation_already_has_active_response")
    dialogue.says("r1", "i1", 500)
    assert not requests(dialogue.done("r1"))


def test_refused_by_a_response_unknown_to_us(greeted: Dialogue) -> None:
    """If the response that had the floor was never told of, no request follows at once: it would be refused too."""
    greeted.press("1")
    assert requests(greeted.fire(Timer.KEYPAD))
    greeted.fails("conversation_already_has_active_response")
    assert not requests(greeted.echo("any"))
    assert len(requests(greeted.fire(Timer.VAD_RESPONSE))) == 1


def test_failed_response_is_retried_once(greeted: Dialogue) -> None:
    """A failure that may pass is tried again after a pause; the second in a row gives the call up."""
    greeted.caller_turn()
    greeted.created("r1")
    assert not requests(greeted.done("r1", "failed", "rate_limit_exceeded"))
    request = only(requests(greeted.fire(Timer.RETRY)))
    greeted.created("r2", answers=request)
    end = only(of_type(greeted.done("r2", "failed", "rate_limit_exceeded"), HangUp))
    assert (end.ended, end.reason) == (CallEnd.FAILED, "rate_limit_exceeded")


def test_failure_of_an_interrupted_response(greeted: Dialogue) -> None:
    """What the caller interrupted is not wanted any more, so its failure is nobody's matter; unless it is fatal."""
    greeted.caller_turn()
    greeted.created("r1")
    greeted.caller_speaks("u2")
    greeted.done("r1", "failed", "server_error")
    assert Timer.RETRY not in greeted.running
    greeted.created("r2")
    greeted.caller_speaks("u3")
    assert of_type(greeted.done("r2", "failed", "insufficient_quota"), HangUp)


@pytest.mark.parametrize("code", ["insufficient_quota", "invalid_api_key", "beta_api_shape_disabled"])
def test_fatal(greeted: Dialogue, code: str) -> None:
    """No further try can help: the call is given up, as an error and as a failed response."""
    other = Dialogue()
    other.greeted()
    other.caller_turn()
    other.created("r1")
    assert only(of_type(greeted.fails(code), HangUp)).ended is CallEnd.FAILED
    assert only(of_type(other.done("r1", "failed", code), HangUp)).ended is CallEnd.FAILED


def test_request_without_answer(greeted: Dialogue) -> None:
    """A request that nothing answers is made once more, then the call is given up."""
    greeted.press("1")
    assert requests(greeted.fire(Timer.KEYPAD))
    greeted.fire(Timer.RESPONSE)
    assert requests(greeted.fire(Timer.RETRY))
    assert only(of_type(greeted.fire(Timer.RESPONSE), HangUp)).ended is CallEnd.FAILED


def test_server_does_not_answer(greeted: Dialogue) -> None:
    """A caller's turn that the server was to answer and did not is answered at our request."""
    assert not requests(greeted.caller_turn())
    assert len(requests(greeted.fire(Timer.VAD_RESPONSE))) == 1


# A lost model


def _back(dialogue: Dialogue) -> list[Effect]:
    """The model is lost for a moment; gives what is done when it is back."""
    assert Timer.RECONNECT in dialogue.running
    assert of_type(dialogue.fire(Timer.RECONNECT), Connect)
    return dialogue.ready()


def test_model_cannot_come_back(greeted: Dialogue) -> None:
    """A loss that another try would only repeat ends the call; whatever comes later changes nothing."""
    assert only(of_type(greeted.feed(ModelLost("model_closed: 4000", final=True)), HangUp)).ended is CallEnd.FAILED
    assert not greeted.caller_turn()


def test_model_stays_away(greeted: Dialogue) -> None:
    """Three tries, or five seconds; then the caller hears an apology."""
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


def test_new_session_remembers(greeted: Dialogue) -> None:
    """The new session is configured anew and told what was said and heard, and what tools gave, in order."""
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
    """A response that was lost is continued, not greeted again; what was sent of it plays on meanwhile."""
    greeted.caller_turn()
    greeted.created("r1")
    greeted.says("r1", "i1", 2000, "We are open")
    lost = greeted.feed(ModelLost("model_closed: 1001"))
    assert not of_type(lost, ClearPlayback)
    request = only(requests(_back(greeted)))
    assert "We are open" in request["response"]["instructions"]
    assert request["response"]["tool_choice"] == "auto"


def test_nothing_owed(greeted: Dialogue) -> None:
    """If it was the caller's turn to speak, the agent does not speak because of a lost socket."""
    greeted.feed(ModelLost("model_closed: 1001"))
    assert not requests(_back(greeted))
    assert Timer.SILENCE in greeted.running


def test_caller_talks_through_the_gap(greeted: Dialogue) -> None:
    """The caller's audio of the gap is kept, the newest six seconds of it, and reaches the new session."""
    greeted.feed(ModelLost("model_closed: 1001"))
    assert not any(greeted.hears(20) for _ in range(400))
    assert len(of_type(_back(greeted), AppendAudio)) == 300


def test_tool_that_outlives_its_session(greeted: Dialogue) -> None:
    """It is not run again, and its result reaches the new session as text: that one knows no such call."""
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
    """Its result is part of what the new session is told."""
    greeted.created("r1")
    greeted.calls("r1", "c1", "book_room")
    greeted.feed(ModelLost("model_closed: 1001"))
    assert not to_model(greeted.feed(ToolFinished("c1", "booked")), "conversation.item.create")
    told = to_model(_back(greeted), "conversation.item.create")
    assert "It gave: booked" in told[-1]["item"]["content"][0]["text"]


def test_items_of_a_lost_session_are_not_cut(greeted: Dialogue) -> None:
    """A barge-in into audio of the lost session clears the phone; the new session knows no such item."""
    greeted.created("r1")
    greeted.says("r1", "i1", 4000, "one two three four")
    greeted.feed(ModelLost("model_closed: 1001"))
    _back(greeted)
    effects = greeted.caller_speaks("u1")
    assert of_type(effects, ClearPlayback)
    assert not truncations(effects)


def test_session_is_renewed_between_two_turns() -> None:
    """Two minutes before its end a spare socket is opened, and taken when nobody speaks: unheard by the caller."""
    dialogue = Dialogue()
    dialogue.feed(events.SessionCreated({"expires_at": STARTED_AT.timestamp() + 3600}))
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


def test_dead_air(greeted: Dialogue) -> None:
    """After a second and a half without a sound the caller hears that the line is alive, again and again."""
    greeted.feed(ModelLost("model_closed: 1001"))
    assert greeted.running[Timer.DEAD_AIR] - greeted.now == 1500
    tone = greeted.fire(Timer.DEAD_AIR)
    assert of_type(tone, PlayAudio)
    assert Timer.DEAD_AIR not in greeted.running
    greeted.echo_all()
    assert Timer.DEAD_AIR in greeted.running
    _back(greeted)
    assert Timer.DEAD_AIR not in greeted.running


def test_goodbye_survives(greeted: Dialogue) -> None:
    """A goodbye that was lost on the way is said by the next session, and the call ends as it was to."""
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
    """A tool that has run has run, for the next session as well."""
    dialogue = Dialogue(tool_choice="required_once")
    dialogue.greeted()
    dialogue.created("r1")
    dialogue.calls("r1", "c1", "opening_hours")
    dialogue.feed(ToolFinished("c1", "always"))
    dialogue.feed(ModelLost("model_closed: 1001"))
    _back(dialogue)
    assert to_model(dialogue.effects, "session.update")[-1]["session"]["tool_choice"] == "auto"


# Escalation

_ASKED = json.dumps({"reason": "wants a person", "summary": "lost a suitcase", "urgency": "high"})


def test_escalation_is_said_once_stored(greeted: Dialogue) -> None:
    """The model hears that a person was asked for only when the queue has the message."""
    greeted.feed(events.TranscriptionCompleted("u1", "I want a person"))
    greeted.created("r1")
    effect = only(of_type(greeted.calls("r1", "c1", "escalate_to_human", _ASKED), SendEscalation))
    greeted.done("r1")
    escalation = effect.escalation
    assert (escalation.reason, escalation.urgency, escalation.revision) == ("wants a person", "high", 1)
    assert [turn.text for turn in escalation.transcript] == ["Hello!", "I want a person"]
    assert greeted.call.escalating.open is None
    effects = greeted.feed(EscalationSent("c1"))
    assert json.loads(outputs(effects)["c1"])["status"] == "sent"
    assert requests(effects)
    assert greeted.call.escalating.open


def test_escalation_not_sent(greeted: Dialogue) -> None:
    """If the queue does not have it, the model hears that nobody knows, and may try again."""
    greeted.created("r1")
    greeted.calls("r1", "c1", "escalate_to_human", _ASKED)
    output = json.loads(outputs(greeted.feed(EscalationNotSent("c1")))["c1"])
    assert "NOT" in output["error"]
    assert greeted.call.escalating.open is None


def test_second_escalation_updates_the_first(greeted: Dialogue) -> None:
    """There is one open escalation a call: the same id, a higher revision."""
    greeted.created("r1")
    first = only(of_type(greeted.calls("r1", "c1", "escalate_to_human", _ASKED), SendEscalation)).escalation
    greeted.feed(EscalationSent("c1"))
    second = only(of_type(greeted.calls("r1", "c2", "escalate_to_human", _ASKED), SendEscalation)).escalation
    assert second.escalation_id == first.escalation_id
    assert second.revision == 2
    assert json.loads(outputs(greeted.feed(EscalationSent("c2")))["c2"])["status"] == "updated"


def test_escalation_is_tried_again(greeted: Dialogue) -> None:
    """What the queue did not take is sent again as long as the call lasts; the model hears when it has arrived."""
    greeted.created("r1")
    first = only(of_type(greeted.calls("r1", "c1", "escalate_to_human", _ASKED), SendEscalation)).escalation
    greeted.feed(EscalationNotSent("c1"))
    greeted.done("r1")
    for _ in range(2):
        again = only(of_type(greeted.fire(Timer.ESCALATION), SendEscalation))
        assert again.escalation == first == greeted.call.escalating.unsent
        assert not outputs(greeted.feed(EscalationNotSent(again.call_id)))
    again = only(of_type(greeted.fire(Timer.ESCALATION), SendEscalation))
    news = only(to_model(greeted.feed(EscalationSent(again.call_id)), "conversation.item.create"))["item"]
    assert "has been sent now" in news["content"][0]["text"]
    assert greeted.call.escalating.open
    assert greeted.call.escalating.unsent is None
    assert Timer.ESCALATION not in greeted.running


def test_bad_escalation_arguments(greeted: Dialogue) -> None:
    """Arguments that do not fit are answered with what is allowed; nothing is sent."""
    greeted.created("r1")
    effects = greeted.calls("r1", "c1", "escalate_to_human", '{"reason": "x", "summary": "y", "urgency": "asap"}')
    assert not of_type(effects, SendEscalation)
    assert "urgency" in outputs(effects)["c1"]


# Another worker


def test_call_is_taken_up() -> None:
    """A call with a past goes on from there: it is told, there is no greeting, and escalations count on."""
    turn = Turn(role="agent", text="At noon.", at=STARTED_AT)
    note = Turn(role="tool", text='You called escalate_to_human({"reason": "x"}). It gave: sent', at=STARTED_AT)
    dialogue = Dialogue(past=Past({3: turn, 7: note}, apologise=True))
    effects = dialogue.ready()
    assert [event["item"]["role"] for event in to_model(effects, "conversation.item.create")] == ["assistant", "system"]
    instructions = only(requests(effects))["response"]["instructions"]
    assert "Apologise" in instructions
    assert "At noon." in instructions
    assert "Hello!" not in instructions
    dialogue.created("r1")
    effects = dialogue.calls("r1", "c1", "escalate_to_human", _ASKED)
    assert only(of_type(effects, SendEscalation)).escalation.revision == 2
    kept = only(of_type(dialogue.feed(EscalationSent("c1")), KeepTurns)).turns
    assert [place for place, _ in kept] == [8]


def test_turns_are_kept_as_they_are_said(greeted: Dialogue) -> None:
    """Each turn is to be kept once when it is complete, and again if the caller cuts it."""
    greeted.effects.clear()
    greeted.caller_turn("u1")
    greeted.feed(events.TranscriptionCompleted("u1", "Count"))
    greeted.created("r1")
    greeted.says("r1", "i1", 4000, "one two three four")
    assert [turn.text for keep in of_type(greeted.effects, KeepTurns) for _, turn in keep.turns] == ["Count"]
    ((place, turn),) = only(of_type(greeted.done("r1"), KeepTurns)).turns
    assert turn.text == "one two three four"
    assert only(of_type(greeted.caller_speaks("u2"), KeepTurns)).turns[0][0] == place


@pytest.mark.parametrize(("foreign", "ended"), [(False, CallEnd.MOVED), (True, CallEnd.FAILED)])
def test_stream_lost(greeted: Dialogue, foreign: bool, ended: CallEnd) -> None:
    """A call whose stream is gone may go on at another worker, unless its stream was not Twilio's."""
    assert only(of_type(greeted.feed(StreamLost("stream_quiet", foreign)), HangUp)).ended is ended


# The end


def test_goodbye_is_heard_before_the_line_closes(greeted: Dialogue) -> None:
    """`end_call` asks for a goodbye; the line closes when its last mark is back, and not before."""
    greeted.caller_turn()
    greeted.created("r1")
    greeted.calls("r1", "c1", "end_call")
    request = only(requests(greeted.done("r1")))
    assert "goodbye" in request["response"]["instructions"]
    greeted.created("r2", answers=request)
    greeted.says("r2", "bye", 800)
    assert not of_type(greeted.done("r2"), HangUp)
    end = only(of_type(greeted.echo_all(), HangUp))
    assert (end.ended, end.reason) == (CallEnd.AGENT_HUNG_UP, "agent_ended_call")


def test_goodbye_said_together_with_end_call(greeted: Dialogue) -> None:
    """A response that says goodbye and calls `end_call` needs no second goodbye."""
    greeted.caller_turn()
    greeted.created("r1")
    greeted.says("r1", "bye", 800)
    greeted.calls("r1", "c1", "end_call")
    assert not requests(greeted.done("r1"))
    assert of_type(greeted.echo_all(), HangUp)


def test_caller_calls_the_goodbye_off(greeted: Dialogue) -> None:
    """A caller who speaks into the goodbye has more to say: the call goes on."""
    greeted.caller_turn()
    greeted.created("r1")
    greeted.calls("r1", "c1", "end_call")
    request = only(requests(greeted.done("r1")))
    greeted.created("r2", answers=request)
    greeted.says("r2", "bye", 800)
    greeted.caller_speaks("u2")
    greeted.done("r2", "cancelled")
    assert not of_type(greeted.echo_all(), HangUp)
    assert Timer.FAREWELL not in greeted.running


def test_goodbye_that_gets_stuck(greeted: Dialogue) -> None:
    """A goodbye that is never heard does not hold the line for ever."""
    greeted.created("r1")
    greeted.calls("r1", "c1", "end_call")
    assert of_type(greeted.fire(Timer.FAREWELL), HangUp)


def test_silence(greeted: Dialogue) -> None:
    """After a silence the agent asks once, then says goodbye and ends the call."""
    request = only(requests(greeted.fire(Timer.SILENCE)))
    assert "still there" in request["response"]["instructions"]
    greeted.created("r1", answers=request)
    greeted.says("r1", "i1", 500)
    greeted.done("r1")
    greeted.echo_all()
    request = only(requests(greeted.fire(Timer.SILENCE)))
    assert "goodbye" in request["response"]["instructions"]
    greeted.created("r2", answers=request)
    greeted.says("r2", "i2", 500)
    greeted.done("r2")
    assert only(of_type(greeted.echo_all(), HangUp)).reason == "silence"


def test_no_silence_while_somebody_speaks(greeted: Dialogue) -> None:
    """The silence is measured from when the caller has heard the agent out."""
    assert Timer.SILENCE in greeted.running
    greeted.caller_turn()
    assert Timer.SILENCE not in greeted.running
    greeted.created("r1")
    greeted.says("r1", "i1", 5000)
    greeted.done("r1")
    assert Timer.SILENCE not in greeted.running
    greeted.echo_all()
    assert Timer.SILENCE in greeted.running


def test_maximum_length(greeted: Dialogue) -> None:
    """Near its maximum length the caller is warned; at it the call ends, even if the caller goes on talking."""
    request = only(requests(greeted.fire(Timer.WARNING)))
    greeted.created("r1", answers=request)
    greeted.says("r1", "i1", 500)
    greeted.done("r1")
    greeted.echo_all()
    request = only(requests(greeted.fire(Timer.TIME_LIMIT)))
    greeted.created("r2", answers=request)
    greeted.says("r2", "i2", 500)
    greeted.caller_speaks()
    assert only(of_type(greeted.done("r2", "cancelled"), HangUp)).reason == "time_limit"


def test_caller_hangs_up(greeted: Dialogue) -> None:
    """`stop` ends the call, as the caller's doing."""
    assert only(of_type(greeted.feed(Stop()), HangUp)).ended is CallEnd.CALLER_HUNG_UP


# Keys


def test_keys_reach_the_model_as_text(greeted: Dialogue) -> None:
    """Presses are gathered until the caller pauses, then given as the caller's turn."""
    for key in "12#":
        greeted.press(key)
    effects = greeted.fire(Timer.KEYPAD)
    item = only(to_model(effects, "conversation.item.create"))["item"]
    assert "1 2 #" in item["content"][0]["text"]
    assert item["role"] == "user"
    assert len(requests(effects)) == 1


def test_key_interrupts(greeted: Dialogue) -> None:
    """A key pressed while the agent speaks interrupts it; the server cannot know, so it is told to cancel."""
    greeted.created("r1")
    greeted.says("r1", "i1", 3000)
    effects = greeted.press("1")
    assert of_type(effects, ClearPlayback)
    assert truncations(effects) == {"i1": 0}
    assert to_model(effects, "response.cancel")
    assert not requests(greeted.fire(Timer.KEYPAD))
    assert len(requests(greeted.done("r1", "cancelled"))) == 1


# What is remembered


def test_transcript_is_cut_where_the_caller_interrupted(greeted: Dialogue) -> None:
    """The transcript has both sides in order, and of the agent's words only those that were heard."""
    greeted.caller_turn("u1")
    greeted.created("r1")
    greeted.feed(events.OutputItemAdded("r1", Item("i1", "message")))
    begin, _ = of_type(greeted.says("r1", "i1", 4000, "one two three four five six seven eight"), SendMark)
    greeted.echo(begin.name)
    greeted.now += 2000
    greeted.caller_speaks("u2")
    greeted.feed(events.TranscriptDelta("r1", "i1", " nine"))
    greeted.feed(events.TranscriptionCompleted("u1", "Count to eight"))
    turns = [(turn.role, turn.text) for turn in greeted.call.transcript.turns()]
    assert turns == [("agent", "Hello!"), ("caller", "Count to eight"), ("agent", "one two three four…")]


def test_usage_is_summed(greeted: Dialogue) -> None:
    """Tokens of every response count, cancelled ones too."""
    usage = {"input_tokens": 10, "output_tokens": 5, "input_token_details": {"audio_tokens": 10}}
    for response_id in ("r1", "r2"):
        greeted.created(response_id)
        greeted.feed(events.ResponseDone(events.Response(response_id, "cancelled", usage=usage)))
    assert greeted.call.usage.tokens()["audio_in"] == 20


def test_audio_passes_untouched(greeted: Dialogue) -> None:
    """The very payload that the model sent goes to the phone, and the caller's to the model."""
    greeted.created("r1")
    payload = audio(200)
    effects = greeted.feed(events.AudioDelta("r1", "i1", payload))
    assert only(of_type(effects, PlayAudio)).payload is payload
    assert played_ms(effects) == 200
