"""Runs a call: waits for the answer, requests TwiML, performs it verb by verb, and goes on with the next document until
the call ends.

While a document runs, either side may hang up, a REST call may replace the document, and the time limit may pass; each
of these interrupts the current verb.
"""

import asyncio
from collections.abc import Callable, Coroutine

from local.audio.speech import milliseconds
from local.twilio.call import Call
from local.twilio.dial import dial
from local.twilio.ears import Playback
from local.twilio.media_stream import MediaStream, StreamFailedError
from local.twilio.person import Callee
from local.twilio.phone import CallEndedError
from local.twilio.report import CallReport, EndedBy
from local.twilio.twiml import (
    ApplicationError,
    Connect,
    Dial,
    Document,
    Gather,
    Hangup,
    Pause,
    Redirect,
    Reject,
    Say,
    Verb,
    describe,
)
from local.twilio.webhook import Request

APOLOGY = Say("We are sorry. An application error has occurred. Goodbye.")
FINISH_ON_KEY = "#"
SAYING_LIMIT_MS = 60_000  # more than the audio's length
STATUS_OF_REJECT = {"busy": "busy", "rejected": "no-answer"}

Following = Request | Document | None


async def run_call(call: Call, callee: Callee | None = None, *, ring_for_s: float = 60.0) -> CallReport:
    """Runs a call to its end and returns its report; an outbound one rings `callee` first.

    Raises what the phone's script raised, and NotSimulatedError.
    """
    ticking = asyncio.create_task(call.phone.run())
    limit = asyncio.create_task(_end_at_limit(call))
    try:
        if callee is None or await _is_answered(call, callee, ring_for_s):
            await _follow(call, ticking)
    finally:
        call.end(EndedBy.APPLICATION)
        for task in (ticking, limit):
            task.cancel()
        await asyncio.wait({ticking, limit})
        await call.finish()
    return call.report


async def _is_answered(call: Call, callee: Callee, ring_for_s: float) -> bool:
    if not call.in_progress:  # it was canceled while it was queued
        return False
    reaction = callee.rings()
    call.report.status = "initiated"
    call.note("initiated")
    call.tell("initiated")
    limit_ms = ring_for_s * 1000
    in_time = reaction.after_ms is not None and reaction.after_ms <= limit_ms
    try:
        if reaction.rings:
            call.report.status = "ringing"
            call.note("ringing")
            call.tell("ringing")
        await call.phone.wait(reaction.after_ms if in_time and reaction.after_ms is not None else limit_ms)
    except CallEndedError:
        return False
    if in_time and reaction.script is not None:
        call.answer(reaction.script)
    else:
        call.end(EndedBy.NOT_REACHED, reaction.status if in_time else "no-answer")
    return call.in_progress


async def _follow(call: Call, ticking: asyncio.Task[None]) -> None:
    following: Following = call.setup.opening
    while call.in_progress and (following is not None or call.is_leg):
        doing = _talk(call) if following is None else _perform(call, following)
        following = await _until_interrupted(call, doing, ticking)
    call.end(EndedBy.APPLICATION)
    if call.last_request is not None:
        try:
            await _ask(call, call.last_request)  # its answer is read but not performed, since the call has ended
        except ApplicationError as error:
            call.warn(error.code, error.reason)


async def _talk(call: Call) -> Following:
    party = await call.connected
    with call.phone.connected(party.ear, party):
        await asyncio.Event().wait()
    return None


async def _until_interrupted(
    call: Call, doing: Coroutine[None, None, Following], ticking: asyncio.Task[None]
) -> Following:
    performing = asyncio.create_task(doing)
    interrupting = asyncio.create_task(call.interrupts.get())
    try:
        await asyncio.wait({performing, interrupting, ticking}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        performing.cancel()
        interrupting.cancel()
        await asyncio.wait({performing, interrupting})
    if ticking.done():
        ticking.result()
    outcome = None if performing.cancelled() else performing.result()
    if interrupting.cancelled():
        return outcome
    if (replacement := interrupting.result()) is not None:
        call.last_request = None  # the old document's last request is dropped
    return replacement


async def _perform(call: Call, following: Request | Document) -> Following:
    try:
        document = following if isinstance(following, Document) else await _ask(call, following)
        for warning in document.warnings:
            call.warn(12200, warning)
        for verb in document.verbs:
            call.note(type(verb).__name__, describe(verb))
            request = await _perform_verb(call, verb, document)
            if request is not None or not call.in_progress:
                return request
    except ApplicationError as error:
        return await _apologise(call, error, following)
    except CallEndedError:
        return None
    return None


async def _ask(call: Call, request: Request) -> Document:
    call.note("webhook", f"{request.method} {request.url}")
    return await call.account.webhooks.ask(request, call.fields(), call.phone.now_ms, call.report.requests.append)


async def _apologise(call: Call, error: ApplicationError, failed: Request | Document) -> Following:
    call.warn(error.code, error.reason)
    if call.fallback_left and call.setup.fallback is not None:
        call.fallback_left = False
        url = failed.url or ""
        return Request(call.setup.fallback, fields={"ErrorCode": str(error.code), "ErrorUrl": url})
    call.answer()
    await _say(call, APOLOGY)
    call.end(EndedBy.APPLICATION_ERROR)
    return None


async def _end_at_limit(call: Call) -> None:
    await call.phone.clock.wait_until(call.setup.limit_s * 1000)
    call.end(EndedBy.TIME_LIMIT)


async def _perform_verb(call: Call, verb: Verb, document: Document) -> Request | None:
    """Performs one verb of a document; returns the request for the next document, or None to go on."""
    match verb:
        case Reject() if not call.answered:
            call.end(EndedBy.APPLICATION, status=STATUS_OF_REJECT.get(verb.reason, "no-answer"))
            return None
        case Pause():
            await call.phone.wait(verb.length_s * 1000)  # as the first verb it delays answering the call
            return None
        case Dial(answer_on_bridge=True):
            return await dial(call, verb, document)
    call.answer()
    match verb:
        case Say():
            await _say(call, verb)
        case Gather():
            return await _gather(call, verb, document)
        case Connect():
            return await _connect(call, verb, document)
        case Dial():
            return await dial(call, verb, document)
        case Redirect():
            return Request(document.resolve(verb.url), verb.method)
        case Hangup() | Reject():
            call.end(EndedBy.APPLICATION)
    return None


async def _say(call: Call, verb: Say) -> None:
    """Speaks a text to its end."""
    audio = await asyncio.to_thread(call.account.exchange.speak, verb.text, verb.language)
    call.report.said.append(verb.text)
    playback = Playback()
    playback.media(audio, call.phone.now_ms)
    with call.phone.connected(playback):
        await call.phone.until(lambda: not playback.playing, milliseconds(len(audio)) + SAYING_LIMIT_MS)


async def _connect(call: Call, verb: Connect, document: Document) -> Request | None:
    follow_up = None if verb.action is None else Request(document.resolve(verb.action), verb.method)
    call.last_request = follow_up  # also requested if the call ends during the stream
    stream = MediaStream(call.account.exchange, verb.stream, call.sid, call.phone, call.warn)
    call.report.streams.append(stream.report)
    call.note("stream", stream.report.stream_sid)
    try:
        await stream.run()
        call.note("stream closed by the application", str(stream.report.close_code))
    except StreamFailedError as error:
        call.warn(error.code, error.reason)
    call.last_request = None
    return follow_up


class _Keys:
    """Listens to a phone, and collects the keys pressed until they are complete."""

    def __init__(self, num_digits: int | None) -> None:
        self.digits = ""
        self.finished_on = ""
        self.complete = False
        self.pressed = asyncio.Event()
        self._num_digits = num_digits
        self._presses = 0

    def another(self) -> Callable[[], bool]:
        """Returns a function that says whether a key was pressed since this call."""
        presses = self._presses
        return lambda: self._presses > presses

    def caller_audio(self, frame: bytes) -> None:
        """Ignores speech."""

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
    """Collects keys; returns the request with them, or None, if no key was pressed, to go on with the next verb."""
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
    """Plays the prompt to its end, or until a key is pressed."""

    async def say_all() -> None:
        for each in verb.prompt:
            await _say(call, each)

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
