"""`make run`: the stack of the demo, left up. What is outside of it, the model and the phone, may be real.

OPENAI_API_KEY makes the model real. PUBLIC_URL, the address of a tunnel of the user's own, and Twilio's credentials
make the phone real; without them a call is typed.
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
    """Keeps the stack up, until it is cancelled, and takes typed calls if the phone is simulated."""
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
        # On one's own machine one may read what was said; anywhere else DEBUG is nobody's default.
        choices=Choices(worker_environ={"LOG_LEVEL": "DEBUG", "AGENTS_DIR": str(settings.agents_dir)}),
        speak=lambda text, _language: speak(text),
    )


def _introduce(console: Console, settings: RunSettings, system: LocalSystem) -> None:
    stack = system.stack
    model = "simulated: it understands what local/audio/phrases.jsgf says" if system.model else "OpenAI's own"
    console.print(f"\nmodel      {model}")
    console.print(f"phone      {'simulated: type, and the caller speaks' if system.twilio else 'Twilio: real calls'}")
    console.print(f"agents     {settings.agents_dir}")
    console.print(f"logs       {OUT / 'logs'}")
    if system.twilio is None:
        console.print(
            f"tunnel     {stack.public_url} must lead to http://127.0.0.1:{settings.port}, for HTTP and WebSocket"
        )
        console.print(f"webhook    set the number's voice webhook (HTTP POST) to {stack.webhook}")
    console.print("\nCtrl-C ends it all.")


async def _take_typed_calls(console: Console, system: LocalSystem, twilio: SimulatedTwilio) -> None:
    """One call after the other, until there are no more lines."""
    keyboard, screen = Keyboard(), Screen(console)
    for number in count(1):
        console.print("\nPress Enter to phone the agent.")
        if await keyboard.line() is None:
            return
        console.print('Type what the caller says; "press 12#" presses keys, and an empty line hangs up.')
        async with screen.following(system.model, twilio):
            report = await twilio.call(TypedCaller(keyboard), webhook=system.stack.webhook, watch=screen.step)
        recording = OUT / f"call-{number}.wav"
        write_stereo_wav(recording, report.spoken, report.heard)
        if system.model is None:
            for role, text in _transcript_in(system.stack.worker.log, report.call_sid):
                console.print(f"{role:<8}{text}")
        console.print(f"Both sides, the caller on the left: {recording}")


def _transcript_in(log: Path, call_sid: str) -> Iterator[tuple[str, str]]:
    """Each turn of a call as (role, text): of a real model nothing has them but the worker's log, at level DEBUG."""
    for line in log.read_text(errors="replace").splitlines():
        if call_sid in line and (entry := json.loads(line)).get("message") == "transcript":
            yield from ((turn["role"], turn["text"]) for turn in entry["turns"])


def main() -> int:
    """The exit status."""
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
        console.print(f"It did not start: {failure}")
        return 1
    except (KeyboardInterrupt, asyncio.CancelledError):
        console.print("\nEverything is stopped.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
