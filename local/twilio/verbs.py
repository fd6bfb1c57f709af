"""How a call performs each TwiML verb: nothing comes of most, a request for the next document of some."""

import asyncio
import io
import wave
from enum import Enum
from typing import TYPE_CHECKING

from local.twilio.audio_format import milliseconds
from local.twilio.media_stream import MediaStream, StreamFailedError
from local.twilio.playback import Playback
from local.twilio.report import EndedBy
from local.twilio.twiml import (
    ApplicationError,
    Connect,
    Document,
    Hangup,
    NotSimulatedError,
    Pause,
    Play,
    Redirect,
    Reject,
    Say,
    Verb,
)
from local.twilio.webhook import Request

if TYPE_CHECKING:
    from local.twilio.call import Call

PLAYING_LIMIT_MS = 60_000  # beyond the audio's own length
STATUS_OF_REJECT = {"busy": "busy", "rejected": "no-answer"}


class Next(Enum):
    """What follows a verb, where it is no request."""

    VERB = "the next verb"
    END = "the end of the call"


def describe(verb: Verb) -> str:
    """A verb's content in a few words, without the secrets that <Parameter> may hold."""
    match verb:
        case Say():
            return verb.text
        case Pause():
            return f"{verb.length_s} s"
        case Play() | Redirect():
            return verb.url
        case Connect():
            return verb.stream.url
        case Reject():
            return verb.reason
        case Hangup():
            return ""


async def perform(call: "Call", verb: Verb, document: Document) -> Request | Next:
    """Performs one verb of a document in its time."""
    match verb:
        case Reject() if not call.answered:
            call.end(EndedBy.APPLICATION, status=STATUS_OF_REJECT.get(verb.reason, "no-answer"))
            return Next.END
        case Hangup() | Reject():
            call.answer()
            return Next.END
        case Pause():
            await call.phone.wait(verb.length_s * 1000)  # as the first verb it delays the answer
            return Next.VERB
        case Redirect():
            call.answer()
            return Request(document.resolve(verb.url), verb.method)
        case _:
            call.answer()
            return await _perform_answered(call, verb, document)


async def _perform_answered(call: "Call", verb: Say | Play | Connect, document: Document) -> Request | Next:
    match verb:
        case Say():
            await say(call, verb)
        case Play():
            await _play(call, verb, document)
        case Connect():
            return await _connect(call, verb, document)
    return Next.VERB


async def say(call: "Call", verb: Say) -> None:
    """Speaks a text to its end."""
    audio = await asyncio.to_thread(call.exchange.speak, verb.text, verb.language)
    for _ in range(verb.loop):
        call.report.said.append(verb.text)
        await _let_hear(call, audio)


async def _play(call: "Call", verb: Play, document: Document) -> None:
    try:
        answer = await call.webhooks.fetch(document.resolve(verb.url))
    except ApplicationError as error:
        call.warn(error.code, error.reason)
        return
    if not answer.content_type.startswith("audio/"):
        call.warn(13420, f"<Play> of {verb.url} found {answer.content_type!r}; it must be audio")
        return
    audio = answer.body if answer.content_type == "audio/basic" else _read_wav(answer.body, verb.url)
    for _ in range(verb.loop):
        await _let_hear(call, audio)


def _read_wav(body: bytes, url: str) -> bytes:
    import audioop

    try:
        with wave.open(io.BytesIO(body)) as file:
            layout = (file.getframerate(), file.getnchannels(), file.getsampwidth())
            samples = file.readframes(file.getnframes())
    except (wave.Error, EOFError) as error:
        raise NotSimulatedError(f"<Play> of {url}: only audio/basic and WAV are simulated ({error})") from error
    if layout != (8000, 1, 2):
        raise NotSimulatedError(f"<Play> of {url}: only WAV of 8 kHz, mono, 16 bit is simulated, not {layout}")
    return audioop.lin2ulaw(samples, 2)


async def _let_hear(call: "Call", audio: bytes) -> None:
    playback = Playback()
    playback.media(audio, call.phone.now_ms)
    with call.phone.connected(playback):
        await call.phone.until(lambda: not playback.playing, milliseconds(len(audio)) + PLAYING_LIMIT_MS)


async def _connect(call: "Call", verb: Connect, document: Document) -> Request | Next:
    follow_up = None if verb.action is None else Request(document.resolve(verb.action), verb.method)
    call.parting = follow_up  # asked as well when the call ends while the stream lasts
    stream = MediaStream(call.exchange, verb.stream, call.sid, call.phone, call.warn)
    call.report.streams.append(stream.report)
    call.note("stream", stream.report.stream_sid)
    try:
        await stream.run()
        call.note("stream closed by the application", str(stream.report.close_code))
    except StreamFailedError as error:
        call.warn(error.code, error.reason)
    call.parting = None
    return follow_up or Next.VERB
