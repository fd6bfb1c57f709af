"""`make run`: the stack of the demo, left up. What is outside of it, the model and the phone, may be real.

OPENAI_API_KEY makes the model real. PUBLIC_URL, the address of a tunnel of the user's own, and Twilio's credentials
make the phone real; without them a call is typed.
"""

import asyncio
import os
import sys
from itertools import count
from pathlib import Path
from typing import Final

from rich.console import Console

from local.process import NotReadyError, end_on_sigterm
from local.run.settings import RunSettings, RunSettingsError, read
from local.run.transcript import transcript_in
from local.run.typed_caller import Keyboard, TypedCaller
from local.run.world import World, world
from local.screen import Screen
from local.speech import write_stereo_wav
from local.twilio import SimulatedTwilio

OUT: Final = Path("out")
WRONG_SETTINGS: Final = 2


async def run(settings: RunSettings, console: Console) -> None:
    """Keeps the stack up, until it is cancelled, and takes typed calls if the phone is simulated."""
    end_on_sigterm()
    console.print("Starting AWS, the functions and the worker ...")
    async with world(settings, OUT / "logs") as around:
        _introduce(console, settings, around)
        if around.twilio is not None:
            await _take_typed_calls(console, around, around.twilio)
        await asyncio.Event().wait()


def _introduce(console: Console, settings: RunSettings, around: World) -> None:
    stack = around.stack
    model = "simulated: it understands what local/phrases.jsgf says" if around.model else "OpenAI's own"
    console.print(f"\nmodel      {model}")
    console.print(f"phone      {'simulated: type, and the caller speaks' if around.twilio else 'Twilio: real calls'}")
    console.print(f"agents     {settings.agents_dir}")
    console.print(f"logs       {OUT / 'logs'}")
    if around.twilio is None:
        console.print(
            f"tunnel     {stack.public_url} must lead to http://127.0.0.1:{settings.port}, for HTTP and WebSocket"
        )
        console.print(f"webhook    set the number's voice webhook (HTTP POST) to {stack.webhook}")
    console.print("\nCtrl-C ends it all.")


async def _take_typed_calls(console: Console, around: World, twilio: SimulatedTwilio) -> None:
    """One call after the other, until there are no more lines."""
    keyboard, screen = Keyboard(), Screen(console)
    for number in count(1):
        console.print("\nPress Enter to phone the agent.")
        if await keyboard.line() is None:
            return
        console.print('Type what the caller says; "press 12#" presses keys, and an empty line hangs up.')
        async with screen.following(around.model, twilio):
            report = await twilio.call(TypedCaller(keyboard), webhook=around.stack.webhook, watch=screen.step)
        recording = OUT / f"call-{number}.wav"
        write_stereo_wav(recording, report.spoken, report.heard)
        if around.model is None:
            for role, text in transcript_in(around.stack.worker.log, report.call_sid):
                console.print(f"{role:<8}{text}")
        console.print(f"Both sides, the caller on the left: {recording}")


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
