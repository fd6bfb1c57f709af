"""A caller whose words are typed: each line is spoken into the phone, in the caller's voice."""

import asyncio
import sys
import threading

from local.audio.speech import speak
from local.stack.simulation import CALLER_VOICE
from local.twilio import Line

PRESS = "press "


class Keyboard:
    """Reads standard input line by line."""

    def __init__(self) -> None:
        self._lines: asyncio.Queue[str | None] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        # A daemon thread: one that waits for input cannot be stopped, and must not keep the program from ending.
        threading.Thread(target=self._read, daemon=True, name="keyboard").start()

    async def line(self) -> str | None:
        """The next line; None at the end of the input, and on every later call."""
        line = await self._lines.get()
        if line is None:
            self._lines.put_nowait(None)
        return line

    def _read(self) -> None:
        for line in sys.stdin:
            self._loop.call_soon_threadsafe(self._lines.put_nowait, line.strip())
        self._loop.call_soon_threadsafe(self._lines.put_nowait, None)


class TypedCaller:
    """Says each line; "press 12#" presses keys, and an empty line or the end of all lines hangs up."""

    def __init__(self, keyboard: Keyboard) -> None:
        self._keyboard = keyboard

    async def run(self, line: Line) -> None:
        """Plays the caller's part of the call."""
        while words := await self._keyboard.line():
            if words.startswith(PRESS):
                await line.press(words.removeprefix(PRESS).strip())
            else:
                await line.say(await asyncio.to_thread(speak, words, CALLER_VOICE))
        await line.hang_up()
