"""`make run`: starts the demo's stack and keeps it up. The model and the phone may be real.

With OPENAI_API_KEY, OpenAI is the model. With PUBLIC_URL (the address of a tunnel to this machine) and Twilio's
credentials, calls are real; without them the user types what the caller says.
"""

import asyncio
import json
import os
import sys
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from itertools import count
from pathlib import Path
from typing import Final

from rich.console import Console

from local.audio.recogniser import Sphinx
from local.audio.speech import speak, write_stereo_wav
from local.model import FrontDesk, SimulatedModel
from local.run.settings import RunSettings, RunSettingsError, read
from local.run.typed_caller import Keyboard, TypedCaller
from local.screen import Screen
from local.stack.process import NotReadyError, end_on_sigterm
from local.stack.simulation import LocalSystem, OpenAi, local_system
from local.stack.stack import Choices
from local.twilio import SimulatedTwilio

OUT: Final = Path("out")
WRONG_SETTINGS: Final = 2


async def run(settings: RunSettings, console: Console) -> None:
    """Keeps the stack up until cancelled, and takes typed calls if the phone is simulated."""
    end_on_sigterm()
    console.print("Starting AWS, the functions and the worker ...")
    async with _system(settings) as system:
        _introduce(console, settings, system)
        if system.twilio is not None:
            await _take_typed_calls(console, system, system.twilio)
        await asyncio.Event().wait()


def _system(settings: RunSettings) -> AbstractAsyncContextManager[LocalSystem]:
    key, base_url = settings.openai_api_key, settings.openai_base_url
    return local_system(
        OUT / "logs",
        model=OpenAi(key, base_url) if key else SimulatedModel(brain=FrontDesk(), recogniser=Sphinx()),
        phone=settings.phone,
        port=settings.port,
        # DEBUG logs what was said, which the owner of this machine may read. It is the default nowhere else.
        choices=Choices(worker_environ={"LOG_LEVEL": "DEBUG", "AGENTS_DIR": str(settings.agents_dir)}),
        speak=lambda text, _language: speak(text),
    )


def _introduce(console: Console, settings: RunSettings, system: LocalSystem) -> None:
    stack = system.stack
    model = "simulated: it understands the phrases in local/audio/phrases.jsgf" if system.model else "OpenAI"
    console.print(f"\nmodel      {model}")
    console.print(f"phone      {'simulated: the caller says what you type' if system.twilio else 'Twilio: real calls'}")
    console.print(f"agents     {settings.agents_dir}")
    console.print(f"logs       {OUT / 'logs'}")
    if system.twilio is None:
        console.print(
            f"tunnel     {stack.public_url} must lead to http://127.0.0.1:{settings.port}, for HTTP and WebSocket"
        )
        console.print(f"webhook    set the number's voice webhook (HTTP POST) to {stack.webhook}")
    console.print("\nCtrl-C stops everything.")


async def _take_typed_calls(console: Console, system: LocalSystem, twilio: SimulatedTwilio) -> None:
    """Takes one call after the other, until the input ends."""
    keyboard, screen = Keyboard(), Screen(console)
    for number in count(1):
        console.print("\nPress Enter to phone the agent.")
        if await keyboard.line() is None:
            return
        console.print('Type what the caller says; "press 12#" presses keys, an empty line hangs up.')
        async with screen.following(system.model, twilio):
            report = await twilio.call(TypedCaller(keyboard), webhook=system.stack.webhook, watch=screen.step)
        recording = OUT / f"call-{number}.wav"
        write_stereo_wav(recording, report.spoken, report.heard)
        if system.model is None:
            for role, text in _transcript_in(system.stack.worker.log, report.call_sid):
                console.print(f"{role:<8}{text}")
        console.print(f"Recording, caller on the left channel: {recording}")


def _transcript_in(log: Path, call_sid: str) -> Iterator[tuple[str, str]]:
    """A call's transcript as (role, text). With a real model it is only in the worker's log, at level DEBUG."""
    for line in log.read_text(errors="replace").splitlines():
        if call_sid in line and (entry := json.loads(line)).get("message") == "transcript":
            yield from ((turn["role"], turn["text"]) for turn in entry["turns"])


def main() -> int:
    """Runs the command; returns the exit status."""
    console = Console(soft_wrap=True, highlight=False)
    try:
        settings = read(os.environ)
    except RunSettingsError as wrong:
        console.print(str(wrong))
        return WRONG_SETTINGS
    OUT.mkdir(exist_ok=True)
    try:
        asyncio.run(run(settings, console))
    except (NotReadyError, OSError) as failure:
        console.print(f"The stack did not start: {failure}")
        return 1
    except (KeyboardInterrupt, asyncio.CancelledError):
        console.print("\nEverything has stopped.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
