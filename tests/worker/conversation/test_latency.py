"""How long the caller waits for an answer, and which audio does not count as one."""

import pytest

from tests.worker.dialogue import MU_LAW, Dialogue, of_type, only, requests
from worker.conversation.effects import ModelLost, SendMark, SessionReady, Timer, ToolFinished
from worker.conversation.latency import Answer
from worker.engines.realtime import events
from worker.engines.realtime.session import session_update

SILENCE_MS = 500  # the default silence after which the server ends a turn


def asks(dialogue: Dialogue, item_id: str = "u1", audio_end_ms: int | None = None) -> None:
    """The caller takes a turn; the server has just detected its end."""
    dialogue.caller_speaks(item_id)
    dialogue.feed(events.SpeechStopped(item_id, audio_end_ms))
    dialogue.feed(events.Committed(item_id))


def answered(dialogue: Dialogue, after_ms: float, response_id: str = "r1", ms: int = 1000) -> list[SendMark]:
    """The server answers by itself; returns the marks that were sent."""
    dialogue.created(response_id)
    dialogue.now += after_ms
    return of_type(dialogue.says(response_id, f"item_{response_id}", ms), SendMark)


def test_sent_and_heard(greeted: Dialogue) -> None:
    """Measured from the start of the silence to the first delta, and to the echo of the mark before it."""
    asks(greeted)
    begins, _ = answered(greeted, 300)
    greeted.says("r1", "item_r1", 1000)
    greeted.now += 120
    greeted.echo(begins.name)
    greeted.now += 1000
    greeted.echo_all()
    assert greeted.call.latency.answers == [Answer(SILENCE_MS + 300, after_tool=False, heard_ms=SILENCE_MS + 420)]


def test_network_time_counts(greeted: Dialogue) -> None:
    """Audio sent after the end of the turn, before its event came, counts as waiting time."""
    for _ in range(100):
        greeted.hears()
    asks(greeted, audio_end_ms=1860)
    answered(greeted, 300)
    assert only(greeted.call.latency.answers).sent_ms == 2000 - 1860 + SILENCE_MS + 300


def test_a_pooled_session_starts_without_audio() -> None:
    """However long it was in the pool, its audio begins with this call."""
    dialogue = Dialogue()
    for _ in range(10):
        dialogue.hears()
    dialogue.feed(SessionReady(MU_LAW, session_update(dialogue.agent, "auto")))
    dialogue.hears()
    asks(dialogue, audio_end_ms=180)
    answered(dialogue, 300)
    assert only(dialogue.call.latency.answers).sent_ms == 220 - 180 + SILENCE_MS + 300


def test_each_session_counts_its_own_audio(greeted: Dialogue) -> None:
    """A new session counts only its own audio, including what was buffered for it."""
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
    """As the agent's file says; semantic detection does not report it."""
    dialogue = Dialogue(turn_detection=detection)
    dialogue.greeted()
    asks(dialogue)
    answered(dialogue, 300)
    assert only(dialogue.call.latency.answers).sent_ms == listened_ms + 300


def test_the_greeting_is_no_answer(greeted: Dialogue) -> None:
    """Nor is a question into a silence. The time to the greeting is a separate metric."""
    question = only(requests(greeted.fire(Timer.SILENCE)))
    greeted.created("r1", answers=question)
    greeted.says("r1", "item1", 500)
    assert greeted.call.latency.answers == []


def test_a_tool_comes_first(greeted: Dialogue) -> None:
    """The wait lasts until the agent speaks, and is marked as `after_tool`."""
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
    """It does not mark the answer to the next turn."""
    asks(greeted)
    greeted.created("r1")
    greeted.calls("r1", "c1", "opening_hours")
    greeted.done("r1")
    asks(greeted, "u2")
    answered(greeted, 300, "r2")
    assert not only(greeted.call.latency.answers).after_tool


def test_the_hold_tone_is_no_answer(greeted: Dialogue) -> None:
    """It does not count; the answer sent after it is heard when the tone is over."""
    asks(greeted)
    _, tone_over = of_type(greeted.fire(Timer.LONG_WAIT), SendMark)
    assert greeted.call.latency.answers == []
    answered(greeted, 100)
    greeted.now += 50
    greeted.echo(tone_over.name)
    answer = only(greeted.call.latency.answers)
    assert (answer.sent_ms, answer.heard_ms) == (SILENCE_MS + 3100, SILENCE_MS + 3150)


def test_the_caller_continues(greeted: Dialogue) -> None:
    """After a pause within the caller's turn, the wait begins again at the real end."""
    asks(greeted)
    greeted.now += 2000
    asks(greeted, "u2")
    answered(greeted, 300)
    assert only(greeted.call.latency.answers).sent_ms == SILENCE_MS + 300


def test_interrupted_before_it_is_heard(greeted: Dialogue) -> None:
    """It was sent but not heard: echoes of dropped marks do not count."""
    asks(greeted)
    marks = answered(greeted, 300)
    greeted.caller_speaks("u2")
    for mark in marks:
        greeted.echo(mark.name)
    assert greeted.call.latency.answers == [Answer(SILENCE_MS + 300, after_tool=False)]


def test_a_key_stops_the_wait(greeted: Dialogue) -> None:
    """A caller who speaks and then presses keys gets an answer to the keys; that wait is not measured."""
    asks(greeted)
    greeted.press("1")
    request = only(requests(greeted.fire(Timer.KEYPAD)) or requests(greeted.fire(Timer.VAD_RESPONSE)))
    greeted.created("r1", answers=request)
    greeted.says("r1", "item1", 1000)
    assert greeted.call.latency.answers == []


def test_the_server_does_not_answer(greeted: Dialogue) -> None:
    """The call requests the answer itself after a time-out, which is part of the wait."""
    asks(greeted)
    request = only(requests(greeted.fire(Timer.VAD_RESPONSE)))
    greeted.created("r1", answers=request)
    greeted.says("r1", "item1", 1000)
    assert only(greeted.call.latency.answers).sent_ms == SILENCE_MS + 5000


def test_nothing_to_answer(greeted: Dialogue) -> None:
    """A noise that became no turn has no answer; the question into the silence after it does not count."""
    greeted.caller_speaks()
    greeted.feed(events.SpeechStopped("u1"))
    greeted.fire(Timer.VAD_RESPONSE)
    question = only(requests(greeted.fire(Timer.SILENCE)))
    greeted.created("r1", answers=question)
    greeted.says("r1", "item1", 1000)
    assert greeted.call.latency.answers == []


def test_a_silent_answer(greeted: Dialogue) -> None:
    """The turn counts as unanswered."""
    asks(greeted)
    greeted.created("r1")
    greeted.done("r1")
    question = only(requests(greeted.fire(Timer.SILENCE)))
    greeted.created("r2", answers=question)
    greeted.says("r2", "item2", 1000)
    assert greeted.call.latency.answers == []


def test_a_failed_answer_is_tried_again(greeted: Dialogue) -> None:
    """The time of the failed response is part of the wait."""
    asks(greeted)
    greeted.created("r1")
    greeted.done("r1", "failed", "server_error")
    request = only(requests(greeted.fire(Timer.RETRY)))
    greeted.created("r2", answers=request)
    greeted.says("r2", "item2", 1000)
    assert only(greeted.call.latency.answers).sent_ms == SILENCE_MS + greeted.now


def test_an_answer_of_the_next_session(greeted: Dialogue) -> None:
    """If the session is lost before it answers, the wait lasts until the next session's answer."""
    asks(greeted)
    greeted.feed(ModelLost("model_closed: 1001"))
    greeted.fire(Timer.RECONNECT)
    request = only(requests(greeted.ready()))
    greeted.created("r1", answers=request)
    greeted.says("r1", "item1", 1000)
    assert only(greeted.call.latency.answers).sent_ms == SILENCE_MS + greeted.now


@pytest.mark.parametrize("begun", [True, False])
def test_speaking_over_an_agent_that_does_not_stop(*, begun: bool) -> None:
    """Nothing is measured: the rest of its words is not the answer, and the caller did not wait for the answer."""
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


def test_speaking_over_audio_that_still_plays() -> None:
    """Nothing is measured while the phone still plays the agent, though the model has finished."""
    dialogue = Dialogue(turn_detection={"type": "server_vad", "interrupt_response": False})
    dialogue.greeted()
    for turn, answers in (("1", 1), ("2", 1)):
        asks(dialogue, f"u{turn}")
        dialogue.created(f"r{turn}", answers=requests(dialogue.effects)[-1])
        dialogue.says(f"r{turn}", f"item{turn}", 1000)
        dialogue.done(f"r{turn}")
        assert len(dialogue.call.latency.answers) == answers
