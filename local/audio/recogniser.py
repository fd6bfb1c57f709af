"""Words from the caller's audio, mu-law at 8 kHz: recognised by pocketsphinx, or dictated for tests."""

import asyncio
import audioop
import math
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, Protocol

import pocketsphinx

from local.audio.speech import BYTES_PER_MS, RATE_HZ, loudness, silence

PHRASES: Final = Path(__file__).with_name("phrases.jsgf")

_MODEL: Final = Path(pocketsphinx.get_model_path()) / "en-us"
_MODEL_RATE_HZ: Final = 16000
# Sphinx needs some silence before and after the words.
_MARGIN: Final = silence(200)
_FRAME: Final = 20 * BYTES_PER_MS
_QUIET: Final = 0.01
# Wide beams, and no second pass over the lattice: with the defaults, telephone bandwidth often makes the decoder drop
# the right path through the grammar.
_GRAMMAR: Final = {"lw": 1.0, "beam": 1e-80, "wbeam": 1e-60, "pbeam": 1e-80, "bestpath": False}
_PHONEMES: Final = {"lw": 2.0, "beam": 1e-20, "pbeam": 1e-20}
# How much worse than free phonemes, in log likelihood a frame, the best phrase may fit. Measured with several of
# espeak-ng's American voices at 150 to 180 words a minute: phrases of the grammar lie above it, other sentences below.
_WORST_FIT: Final = -15e-4


class Recogniser(Protocol):
    """Gives the words in mu-law audio, in lower case; "" when it understood nothing."""

    async def recognise(self, audio: bytes) -> str: ...


class Dictated:
    """For tests: gives these words for the first, second, ... turn, whatever the audio, and "" after the last."""

    def __init__(self, *texts: str) -> None:
        self._texts = deque(texts)

    async def recognise(self, audio: bytes) -> str:
        return self._texts.popleft() if self._texts else ""


class Sphinx:
    """Recognises the phrases of a grammar; gives "" where free phonemes fit the sound much better than any phrase.

    The decoders are loaded at the first use, and run in their own thread.
    """

    def __init__(self, grammar: Path = PHRASES) -> None:
        self._grammar = grammar
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="recogniser")
        self._decoders: tuple[pocketsphinx.Decoder, pocketsphinx.Decoder] | None = None

    async def recognise(self, audio: bytes) -> str:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._recognise, audio)

    def _recognise(self, audio: bytes) -> str:
        if self._decoders is None:
            self._decoders = self._load()
        spoken = _trimmed(audio)
        if not spoken:
            return ""
        pcm = audioop.ulaw2lin(_MARGIN + spoken + _MARGIN, 2)
        pcm, _state = audioop.ratecv(pcm, 2, 1, RATE_HZ, _MODEL_RATE_HZ, None)
        (words, fit), (_, free_fit) = (_decode(decoder, pcm) for decoder in self._decoders)
        return words if words and fit - free_fit >= _WORST_FIT else ""

    def _load(self) -> tuple[pocketsphinx.Decoder, pocketsphinx.Decoder]:
        model, dictionary = str(_MODEL / "en-us"), str(_MODEL / "cmudict-en-us.dict")
        common = {"hmm": model, "samprate": float(_MODEL_RATE_HZ), "lm": None, "loglevel": "FATAL"}
        phrases = pocketsphinx.Decoder(dict=dictionary, jsgf=str(self._grammar), **common, **_GRAMMAR)
        phonemes = str(_MODEL / "en-us-phone.lm.bin")
        return phrases, pocketsphinx.Decoder(allphone=phonemes, dict=None, **common, **_PHONEMES)


def _trimmed(audio: bytes) -> bytes:
    """The audio without the quiet before and after the words: quiet fits any phrase, and would raise every score."""
    starts = range(0, len(audio), _FRAME)
    loud = [start for start in starts if loudness(audio[start : start + _FRAME]) > _QUIET]
    return audio[loud[0] : loud[-1] + _FRAME] if loud else b""


def _decode(decoder: pocketsphinx.Decoder, pcm: bytes) -> tuple[str, float]:
    """The best words, and their log likelihood a frame."""
    decoder.start_utt()
    decoder.process_raw(pcm, full_utt=True)
    decoder.end_utt()
    found = decoder.hyp()
    if found is None or found.score <= 0:
        return "", -math.inf
    return found.hypstr, math.log(found.score) / decoder.n_frames()
