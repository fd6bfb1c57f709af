"""<Gather>: keys are collected while its prompt is heard, and for a while after it."""

import asyncio
from collections.abc import Callable

from local.twilio.call import Call
from local.twilio.playback import Playback
from local.twilio.sayings import let_hear
from local.twilio.twiml import Document, Gather
from local.twilio.webhook import Request


class Keys:
    """The keys pressed so far, and whether these are all; a phone's listener."""

    def __init__(self, verb: Gather) -> None:
        self.digits = ""
        self.finished_on = ""
        self.complete = False
        self.pressed = asyncio.Event()
        self._presses = 0
        self._verb = verb

    def another(self) -> Callable[[], bool]:
        """Whether a key has been pressed since now."""
        presses = self._presses
        return lambda: self._presses > presses

    def caller_audio(self, frame: bytes) -> None:
        """What is said is not for <Gather>."""

    def digit(self, digit: str) -> None:
        """Takes one key."""
        if self.complete:
            return
        if digit == self._verb.finish_on_key:
            self.finished_on, self.complete = digit, True
        else:
            self.digits += digit
            self.complete = len(self.digits) == self._verb.num_digits
        self._presses += 1
        self.pressed.set()


async def gather(call: Call, verb: Gather, document: Document) -> Request | None:
    """Performs the verb; None when the next verb is to follow, as it does when no key was pressed."""
    action = document.resolve(verb.action or "")
    keys = Keys(verb)
    with call.phone.connected(Playback(), keys):
        await _prompt(call, verb, document, keys)
        while not keys.complete:
            if not await call.phone.until(keys.another(), verb.timeout_s * 1000):
                break
    call.note("gathered", keys.digits)
    if not keys.digits and not verb.action_on_empty_result:
        return None
    fields = {"Digits": keys.digits, "FinishedOnKey": keys.finished_on, "msg": "Gather End"}
    return Request(action, verb.method, fields)


async def _prompt(call: Call, verb: Gather, document: Document, keys: Keys) -> None:
    prompting = asyncio.create_task(_let_hear_all(call, verb, document))
    pressing = asyncio.create_task(keys.pressed.wait())
    try:
        await asyncio.wait({prompting, pressing}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        prompting.cancel()
        pressing.cancel()
        await asyncio.gather(prompting, pressing, return_exceptions=True)
    if not prompting.cancelled():
        prompting.result()


async def _let_hear_all(call: Call, verb: Gather, document: Document) -> None:
    for each in verb.prompt:
        await let_hear(call, each, document)
