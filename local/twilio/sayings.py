"""The verbs that let a phone hear something: <Say>, <Play> and <Pause>."""

import asyncio
import audioop
import io
import wave

from local.twilio.audio_format import milliseconds
from local.twilio.call import Call
from local.twilio.playback import Playback
from local.twilio.twiml import ApplicationError, Document, NotSimulatedError, Pause, Play, Say

PLAYING_LIMIT_MS = 60_000  # beyond the audio's own length


async def let_hear(call: Call, verb: Say | Play | Pause, document: Document) -> None:
    """Performs one of these verbs to its end."""
    match verb:
        case Say():
            await say(call, verb)
        case Play():
            await play(call, document.resolve(verb.url), loop=verb.loop)
        case Pause():
            await call.phone.wait(verb.length_s * 1000)


async def say(call: Call, verb: Say) -> None:
    """Speaks a text to its end."""
    audio = await asyncio.to_thread(call.account.exchange.speak, verb.text, verb.language)
    for _ in range(verb.loop):
        call.report.said.append(verb.text)
        await _hear(call, audio)


async def play(call: Call, url: str, method: str = "GET", loop: int = 1) -> None:
    """Plays what is found at a URL; if that is no audio, a warning is all that comes of it."""
    try:
        answer = await call.account.webhooks.fetch(url, method)
    except ApplicationError as error:
        call.warn(error.code, error.reason)
        return
    if not answer.content_type.startswith("audio/"):
        call.warn(13420, f"<Play> of {url} found {answer.content_type!r}; it must be audio")
        return
    audio = answer.body if answer.content_type == "audio/basic" else _read_wav(answer.body, url)
    for _ in range(loop):
        await _hear(call, audio)


def _read_wav(body: bytes, url: str) -> bytes:
    try:
        with wave.open(io.BytesIO(body)) as file:
            layout = (file.getframerate(), file.getnchannels(), file.getsampwidth())
            samples = file.readframes(file.getnframes())
    except (wave.Error, EOFError) as error:
        raise NotSimulatedError(f"<Play> of {url}: only audio/basic and WAV are simulated ({error})") from error
    if layout != (8000, 1, 2):
        raise NotSimulatedError(f"<Play> of {url}: only WAV of 8 kHz, mono, 16 bit is simulated, not {layout}")
    return audioop.lin2ulaw(samples, 2)


async def _hear(call: Call, audio: bytes) -> None:
    playback = Playback()
    playback.media(audio, call.phone.now_ms)
    with call.phone.connected(playback):
        await call.phone.until(lambda: not playback.playing, milliseconds(len(audio)) + PLAYING_LIMIT_MS)
