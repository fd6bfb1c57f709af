"""What the terminal shows of a call."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from local.model.wire import Event, Recorded
from local.screen import Screen, words_for
from local.twilio.report import Step


@pytest.mark.parametrize(
    ("event", "words"),
    [
        ({"type": "response.output_audio_transcript.done", "transcript": "Hello."}, ("agent", "Hello.")),
        (
            {"type": "conversation.item.input_audio_transcription.completed", "transcript": ""},
            ("caller", "(not understood)"),
        ),
        ({"type": "response.function_call_arguments.done", "name": "f", "arguments": "{}"}, ("tool", "f {}")),
        (
            {"type": "conversation.item.create", "item": {"type": "function_call_output", "output": "7"}},
            ("tool", "→ 7"),
        ),
        ({"type": "conversation.item.create", "item": {"type": "message", "role": "user"}}, None),
        (
            {"type": "conversation.item.truncated", "audio_end_ms": 1540},
            ("agent", "(interrupted: the caller heard 1.5 s of this)"),
        ),
        ({"type": "error", "error": {"message": "No."}}, ("tool", "the model refuses: No.")),
        ({"type": "input_audio_buffer.append", "audio": "////"}, None),
    ],
)
def test_an_event_in_words(event: Event, words: tuple[str, str] | None) -> None:
    """Who does what; most events are not shown."""
    assert words_for(event) == words


async def test_each_thing_is_shown_once_and_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    """Earlier events are not shown; new sessions and messages are."""

    def said(words: str, at: float) -> Recorded:
        return Recorded({"type": "response.output_audio_transcript.done", "transcript": words}, at)

    old, new = (SimpleNamespace(sent=[], received=[]) for _ in range(2))
    old.sent.append(said("before", 0.0))
    model: Any = SimpleNamespace(sessions=[old])
    twilio: Any = SimpleNamespace(messages=[])
    screen = Screen(Console(soft_wrap=True))
    async with screen.following(model, twilio):
        await asyncio.sleep(0)
        model.sessions.append(new)
        new.sent.append(said("second", 2.0))
        old.sent.append(said("first", 1.0))
        twilio.messages.append(SimpleNamespace(to="+15550001111", body="Come!"))
        screen.step(Step(0, "stream", "MZ1"))
        screen.step(Step(0, "key", "1"))
    shown = capsys.readouterr().out.splitlines()
    assert [line.split("s  ", 1)[1].split() for line in shown] == [
        ["phone", "stream:", "MZ1"],
        ["agent", "first"],
        ["agent", "second"],
        ["alert", "SMS", "to", "+15550001111:", "Come!"],
    ]
