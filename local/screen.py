"""Shows a call on the terminal while it runs: the phone's side, words and tool calls, and the alerts.

Words and tools come from the simulated model's events, the only place where both sides are available as text.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final, Generic, TypeVar

from rich.console import Console
from rich.text import Text

from local.model import SimulatedModel
from local.model.wire import Event, Recorded
from local.twilio import SimulatedTwilio
from local.twilio.report import Step

_STYLES: Final = {
    "phone": "dim",
    "agent": "cyan",
    "caller": "green",
    "tool": "yellow",
    "alert": "bold magenta",
    "maria": "magenta",
}
_POLL_INTERVAL_S: Final = 0.05
_SHOWN_STEPS: Final = {"webhook", "Say", "stream", "stream closed by the application", "warning", "ended"}

T = TypeVar("T")


def words_for(event: Event) -> tuple[str, str] | None:
    """An event of the model as (who, what) for the screen, or None if it is not shown."""
    match event:
        case {"type": "response.output_audio_transcript.done", "transcript": said}:
            return "agent", said
        case {"type": "conversation.item.input_audio_transcription.completed", "transcript": said}:
            return "caller", said or "(not understood)"
        case {"type": "response.function_call_arguments.done", "name": name, "arguments": arguments}:
            return "tool", f"{name} {arguments}"
        case {"type": "conversation.item.create", "item": {"type": "function_call_output", "output": output}}:
            return "tool", f"→ {output}"
        case {"type": "conversation.item.truncated", "audio_end_ms": heard_ms}:
            return "agent", f"(interrupted: the caller heard {heard_ms / 1000:.1f} s of this)"
        case {"type": "error", "error": {"message": message}}:
            return "tool", f"the model refuses: {message}"
    return None


class Screen:
    """Prints one line for each thing that happens, with the seconds since the call began."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._began = time.monotonic()

    def line(self, who: str, what: str) -> None:
        """One line: when, who, what."""
        seconds = time.monotonic() - self._began
        self.console.print(Text.assemble((f"{seconds:6.1f} s  ", "dim"), (f"{who:<8}", _STYLES[who]), what))

    def step(self, step: Step) -> None:
        """Shows a step at the phone, if it matters; meant as the `watch` of a simulated call."""
        if step.what in _SHOWN_STEPS:
            self.line("phone", f"{step.what}: {step.detail}" if step.detail else step.what)

    @asynccontextmanager
    async def following(self, model: SimulatedModel | None, twilio: SimulatedTwilio) -> AsyncIterator[None]:
        """Shows words, tool calls and alerts while the context lasts. The time starts now.

        With `model` None (a real model), words and tools are not shown.
        """
        self._began = time.monotonic()
        task = asyncio.create_task(self._follow(model, twilio))
        try:
            yield
        finally:
            await asyncio.sleep(2 * _POLL_INTERVAL_S)  # to show the last events
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _follow(self, model: SimulatedModel | None, twilio: SimulatedTwilio) -> None:
        records = _Additions(lambda: _logs(model))
        messages = _Additions(lambda: [twilio.messages])
        records.look()
        messages.look()
        while True:
            for record in sorted(records.look(), key=lambda record: record.at):
                if words := words_for(record.event):
                    self.line(*words)
            for message in messages.look():
                self.line("alert", f"SMS to {message.to}: {message.body}")
            await asyncio.sleep(_POLL_INTERVAL_S)


def _logs(model: SimulatedModel | None) -> list[list[Recorded]]:
    sessions = model.sessions if model else []
    return [log for session in sessions for log in (session.sent, session.received)]


class _Additions(Generic[T]):
    """Gives what was added to some growing lists since the last `look`; lists may be added."""

    def __init__(self, lists: Callable[[], Sequence[Sequence[T]]]) -> None:
        self._lists = lists
        self._seen: list[int] = []

    def look(self) -> list[T]:
        lists = self._lists()
        self._seen += [0] * (len(lists) - len(self._seen))
        added = [entry for seen, entries in zip(self._seen, lists, strict=True) for entry in entries[seen:]]
        self._seen = [len(entries) for entries in lists]
        return added
