"""How long the caller waits for an answer, and what is no answer."""

import pytest

from tests.worker.dialogue import MU_LAW, Dialogue, of_type, only, requests
from worker.conversation.effects import ModelLost, SendMark, SessionReady, Timer, ToolFinished
from worker.conversation.latency import Answer
from worker.engines.realtime import events
from worker.engines.realtime.session import session_update

SILENCE_MS = 500  # that the server hears before it takes a turn for finished, unless the agent's file says otherwise


def asks(dialogue: Dialogue, item_id: str = "u1", audio_end_ms: int | None = None) -> None:
    """The caller's turn, whose end the server has just heard."""
    dialogue.caller_speaks(item_id)
    dialogue.feed(events.SpeechStopped(item_id, audio_end_ms))
    dialogue.feed(events.Committed(item_id))


def answered(dialogue: Dialogue, after_ms: float, response_id: str = "r1", ms: int = 1000) -> list[SendMark]:
    """The server answers by itself; gives the marks that went along."""
    dialogue.created(response_id)
    dialogue.now += after_ms
    return of_type(dialogue.says(response_id, f"item_{response_id}", ms), SendMark)


def test_sent_and_heard(greeted: Dialogue) -> None:
    """From the silence that the server heard out to the first delta, and to the echo of the mark ahead of it."""
    asks(greeted)
    begins, _ = answered(greeted, 300)
    greeted.says("r1", "item_r1", 1000)
    greeted.now += 120
    greeted.echo(begins.name)
    greeted.now += 1000
    greeted.echo_all()
    assert greeted.call.latency.answers == [Answer(SILENCE_MS + 300, after_tool=False, heard_ms=SILENCE_MS + 420)]


def test_the_way_of_the_callers_audio_counts(greeted: Dialogue) -> None:
    """What was sent behind the end of the turn, before its news came, is time that the caller has waited as well."""
    for _ in range(100):
        greeted.hears()
    asks(greeted, audio_end_ms=1860)
    answered(greeted, 300)
    assert only(greeted.call.latency.answers).sent_ms == 2000 - 1860 + SILENCE_MS + 300


def test_a_ready_session_has_heard_nothing() -> None:
    """However long it stood there, the audio of its session begins with this call's."""
    dialogue = Dialogue()
    for _ in range(10):
        dialogue.hears()
    dialogue.feed(SessionReady(MU_LAW, session_update(dialogue.agent, "auto")))
    dialogue.hears()
    asks(dialogue, audio_end_ms=180)
    answered(dialogue, 300)
    assert only(dialogue.call.latency.answers).sent_ms == 220 - 180 + SILENCE_MS + 300


def test_each_session_counts_its_own_audio(greeted: Dialogue) -> None:
    """What the last one was given is nothing to the next, which gets at once what was kept meanwhile."""
    for _ in range(100):
        greeted.hears()
    greeted.feed(ModelLost("model_closed: 1001"))
    for _ in range(10):
        greeted.hears()
    greeted.fire(Timer.RECONNECT)
    greeted.ready()
    greeted.hears()
    asks(greeted, audio_end_ms=180)
    answered(greeted, 300)
    assert only(greeted.call.latency.answers).sent_ms == 220 - 180 + SILENCE_MS + 300


@pytest.mark.parametrize(
    ("detection", "listened_ms"),
    [({"type": "server_vad", "silence_duration_ms": 200}, 200), ({"type": "semantic_vad"}, 0)],
)
def test_how_long_the_server_listened(detection: dict[str, object], listened_ms: int) -> None:
    """As the agent's file says; semantic detection does not tell."""
    dialogue = Dialogue(turn_detection=detection)
    dialogue.greeted()
    asks(dialogue)
    answered(dialogue, 300)
    assert only(dialogue.call.latency.answers).sent_ms == listened_ms + 300


def test_the_greeting_answers_nobody(greeted: Dialogue) -> None:
    """Nor does a question into a silence; how long the greeting took is a metric of its own."""
    question = only(requests(greeted.fire(Timer.SILENCE)))
    greeted.created("r1", answers=question)
    greeted.says("r1", "item1", 500)
    assert greeted.call.latency.answers == []


def test_a_tool_comes_first(greeted: Dialogue) -> None:
    """The wait goes on until the agent says something, and is known to have been for a tool."""
    asks(greeted)
    greeted.created("r1")
    greeted.now += 200
    greeted.calls("r1", "c1", "opening_hours")
    greeted.done("r1")
    greeted.now += 4000
    request = only(requests(greeted.feed(ToolFinished("c1", "always"))))
    greeted.created("r2", answers=request)
    greeted.now += 300
    begins, _ = of_type(greeted.says("r2", "item2", 1000), SendMark)
    greeted.echo(begins.name)
    waited = SILENCE_MS + 200 + 4000 + 300
    assert greeted.call.latency.answers == [Answer(waited, after_tool=True, heard_ms=waited)]


def test_words_before_a_tool(greeted: Dialogue) -> None:
    """An agent that says "one moment" has answered; what it says after the tool is no second answer."""
    asks(greeted)
    answered(greeted, 300)
    greeted.calls("r1", "c1", "opening_hours")
    greeted.echo_all()
    greeted.feed(ToolFinished("c1", "always"))
    request = only(requests(greeted.done("r1")))
    greeted.created("r2", answers=request)
    greeted.says("r2", "item2", 1000)
    assert not only(greeted.call.latency.answers).after_tool


def test_a_tool_of_an_earlier_turn(greeted: Dialogue) -> None:
    """The next turn's answer did not wait for it."""
    asks(greeted)
    greeted.created("r1")
    greeted.calls("r1", "c1", "opening_hours")
    greeted.done("r1")
    asks(greeted, "u2")
    answered(greeted, 300, "r2")
    assert not only(greeted.call.latency.answers).after_tool


def test_the_hold_tone_is_no_answer(greeted: Dialogue) -> None:
    """It is not the agent's; what is said behind it is heard when it is over."""
    asks(greeted)
    _, tone_over = of_type(greeted.fire(Timer.LONG_WAIT), SendMark)
    assert greeted.call.latency.answers == []
    answered(greeted, 100)
    greeted.now += 50
    greeted.echo(tone_over.name)
    answer = only(greeted.call.latency.answers)
    assert (answer.sent_ms, answer.heard_ms) == (SILENCE_MS + 3100, SILENCE_MS + 3150)


def test_the_caller_goes_on(greeted: Dialogue) -> None:
    """A pause in the middle of a turn is not waited through; the wait begins when they have really finished."""
    asks(greeted)
    greeted.now += 2000
    asks(greeted, "u2")
    answered(greeted, 300)
    assert only(greeted.call.latency.answers).sent_ms == SILENCE_MS + 300


def test_interrupted_before_it_is_heard(greeted: Dialogue) -> None:
    """It was sent, but not heard: the marks that Twilio echoes as it drops them prove nothing."""
    asks(greeted)
    marks = answered(greeted, 300)
    greeted.caller_speaks("u2")
    for mark in marks:
        greeted.echo(mark.name)
    assert greeted.call.latency.answers == [Answer(SILENCE_MS + 300, after_tool=False)]


def test_a_key_takes_the_turn_over(greeted: Dialogue) -> None:
    """Who speaks and then presses keys has an answer to the keys; of those nobody says when they ended."""
    asks(greeted)
    greeted.press("1")
    request = only(requests(greeted.fire(Timer.KEYPAD)) or requests(greeted.fire(Timer.VAD_RESPONSE)))
    greeted.created("r1", answers=request)
    greeted.says("r1", "item1", 1000)
    assert greeted.call.latency.answers == []


def test_the_server_does_not_answer(greeted: Dialogue) -> None:
    """The call asks for the answer itself, and the caller has waited for that, too."""
    asks(greeted)
    request = only(requests(greeted.fire(Timer.VAD_RESPONSE)))
    greeted.created("r1", answers=request)
    greeted.says("r1", "item1", 1000)
    assert only(greeted.call.latency.answers).sent_ms == SILENCE_MS + 5000


def test_nothing_to_answer(greeted: Dialogue) -> None:
    """A noise that never became a turn is not answered by the question into the silence after it."""
    greeted.caller_speaks()
    greeted.feed(events.SpeechStopped("u1"))
    greeted.fire(Timer.VAD_RESPONSE)
    question = only(requests(greeted.fire(Timer.SILENCE)))
    greeted.created("r1", answers=question)
    greeted.says("r1", "item1", 1000)
    assert greeted.call.latency.answers == []


def test_an_answer_without_a_word(greeted: Dialogue) -> None:
    """The turn is over with it, unanswered."""
    asks(greeted)
    greeted.created("r1")
    greeted.done("r1")
    question = only(requests(greeted.fire(Timer.SILENCE)))
    greeted.created("r2", answers=question)
    greeted.says("r2", "item2", 1000)
    assert greeted.call.latency.answers == []


def test_a_failed_answer_is_tried_again(greeted: Dialogue) -> None:
    """The caller waits through the failure as well."""
    asks(greeted)
    greeted.created("r1")
    greeted.done("r1", "failed", "server_error")
    request = only(requests(greeted.fire(Timer.RETRY)))
    greeted.created("r2", answers=request)
    greeted.says("r2", "item2", 1000)
    assert only(greeted.call.latency.answers).sent_ms == SILENCE_MS + greeted.now


def test_an_answer_of_the_next_session(greeted: Dialogue) -> None:
    """So they do when the model is lost before it has answered."""
    asks(greeted)
    greeted.feed(ModelLost("model_closed: 1001"))
    greeted.fire(Timer.RECONNECT)
    request = only(requests(greeted.ready()))
    greeted.created("r1", answers=request)
    greeted.says("r1", "item1", 1000)
    assert only(greeted.call.latency.answers).sent_ms == SILENCE_MS + greeted.now


@pytest.mark.parametrize("begun", [True, False])
def test_speaking_over_an_agent_that_does_not_stop(*, begun: bool) -> None:
    """Nobody waits there: neither the rest of what it says is the answer, nor has the answer kept anyone waiting."""
    dialogue = Dialogue(turn_detection={"type": "server_vad", "interrupt_response": False})
    dialogue.greeted()
    asks(dialogue)
    request = requests(dialogue.effects)[-1]
    if begun:
        dialogue.created("r1", answers=request)
    dialogue.call.latency.dismissed()
    asks(dialogue, "u2")
    if not begun:
        dialogue.created("r1", answers=request)
    dialogue.says("r1", "item1", 1000)
    request = only(requests(dialogue.done("r1")))
    dialogue.created("r2", answers=request)
    dialogue.says("r2", "item2", 1000)
    assert dialogue.call.latency.answers == []


def test_speaking_into_what_an_agent_has_said() -> None:
    """The model has long finished, but the phone still plays it."""
    dialogue = Dialogue(turn_detection={"type": "server_vad", "interrupt_response": False})
    dialogue.greeted()
    for turn, answers in (("1", 1), ("2", 1)):
        asks(dialogue, f"u{turn}")
        dialogue.created(f"r{turn}", answers=requests(dialogue.effects)[-1])
        dialogue.says(f"r{turn}", f"item{turn}", 1000)
        dialogue.done(f"r{turn}")
        assert len(dialogue.call.latency.answers) == answers
