"""How a call performs each TwiML verb: nothing comes of most, a request for the next document of some."""

import asyncio
from collections.abc import Callable
from enum import Enum

from local.speech import milliseconds
from local.twilio.call import Call
from local.twilio.dial import dial
from local.twilio.ears import Playback
from local.twilio.media_stream import MediaStream, StreamFailedError
from local.twilio.report import EndedBy
from local.twilio.twiml import Connect, Dial, Document, Gather, Hangup, Pause, Redirect, Reject, Say, Verb
from local.twilio.webhook import Request

FINISH_ON_KEY = "#"
SAYING_LIMIT_MS = 60_000  # beyond the audio's own length
STATUS_OF_REJECT = {"busy": "busy", "rejected": "no-answer"}


class Next(Enum):
    """What follows a verb, where it is no request."""

    VERB = "the next verb"
    END = "the end of the call"


async def perform(call: Call, verb: Verb, document: Document) -> Request | Next:
    """Performs one verb of a document in its time."""
    match verb:
        case Reject() if not call.answered:
            call.end(EndedBy.APPLICATION, status=STATUS_OF_REJECT.get(verb.reason, "no-answer"))
            return Next.END
        case Pause():
            await call.phone.wait(verb.length_s * 1000)  # as the first verb it delays the answer
            return Next.VERB
        case Dial(answer_on_bridge=True):
            return await dial(call, verb, document) or Next.VERB
    call.answer()
    match verb:
        case Say():
            await say(call, verb)
            return Next.VERB
        case Gather():
            return await _gather(call, verb, document) or Next.VERB
        case Connect():
            return await _connect(call, verb, document)
        case Dial():
            return await dial(call, verb, document) or Next.VERB
        case Redirect():
            return Request(document.resolve(verb.url), verb.method)
        case Hangup() | Reject():
            return Next.END


async def say(call: Call, verb: Say) -> None:
    """Speaks a text to its end."""
    audio = await asyncio.to_thread(call.account.exchange.speak, verb.text, verb.language)
    call.report.said.append(verb.text)
    playback = Playback()
    playback.media(audio, call.phone.now_ms)
    with call.phone.connected(playback):
        await call.phone.until(lambda: not playback.playing, milliseconds(len(audio)) + SAYING_LIMIT_MS)


async def _connect(call: Call, verb: Connect, document: Document) -> Request | Next:
    follow_up = None if verb.action is None else Request(document.resolve(verb.action), verb.method)
    call.parting = follow_up  # asked as well when the call ends while the stream lasts
    stream = MediaStream(call.account.exchange, verb.stream, call.sid, call.phone, call.warn)
    call.report.streams.append(stream.report)
    call.note("stream", stream.report.stream_sid)
    try:
        await stream.run()
        call.note("stream closed by the application", str(stream.report.close_code))
    except StreamFailedError as error:
        call.warn(error.code, error.reason)
    call.parting = None
    return follow_up or Next.VERB


class _Keys:
    """The keys pressed so far, and whether these are all; a phone's listener."""

    def __init__(self, num_digits: int | None) -> None:
        self.digits = ""
        self.finished_on = ""
        self.complete = False
        self.pressed = asyncio.Event()
        self._num_digits = num_digits
        self._presses = 0

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
        if digit == FINISH_ON_KEY:
            self.finished_on, self.complete = digit, True
        else:
            self.digits += digit
            self.complete = len(self.digits) == self._num_digits
        self._presses += 1
        self.pressed.set()


async def _gather(call: Call, verb: Gather, document: Document) -> Request | None:
    """None when the next verb is to follow, as it does when no key was pressed."""
    action = document.resolve(verb.action or "")
    keys = _Keys(verb.num_digits)
    with call.phone.connected(Playback(), keys):
        await _prompt(call, verb, keys)
        while not keys.complete:
            if not await call.phone.until(keys.another(), verb.timeout_s * 1000):
                break
    call.note("gathered", keys.digits)
    fields = {"Digits": keys.digits, "FinishedOnKey": keys.finished_on, "msg": "Gather End"}
    return Request(action, verb.method, fields) if keys.digits else None


async def _prompt(call: Call, verb: Gather, keys: _Keys) -> None:
    """Lets the prompt be heard to its end, or until a key is pressed."""

    async def say_all() -> None:
        for each in verb.prompt:
            await say(call, each)

    prompting = asyncio.create_task(say_all())
    pressing = asyncio.create_task(keys.pressed.wait())
    try:
        await asyncio.wait({prompting, pressing}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        prompting.cancel()
        pressing.cancel()
        await asyncio.gather(prompting, pressing, return_exceptions=True)
    if not prompting.cancelled():
        prompting.result()
