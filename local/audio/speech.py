"""Audio for the simulations, in the telephone's format: mu-law at 8 kHz, 8 bytes a millisecond. espeak-ng speaks the
words; its library and voices come in a wheel."""

import audioop
import ctypes
import functools
import math
import struct
import threading
import wave
from collections.abc import Iterator, Sequence
from pathlib import Path

import espeakng_loader

RATE_HZ = 8000
BYTES_PER_MS = 8
FRAME_MS = 20
FRAME_BYTES = FRAME_MS * BYTES_PER_MS
SILENCE = b"\xff"  # zero amplitude in mu-law
SILENT_FRAME = SILENCE * FRAME_BYTES
AUDIBLE = 0.005  # loudness; the quietest tone made here has ten times that, a quiet line almost nothing
WORDS_PER_MINUTE = 165

# Constants of espeak-ng's speak_lib.h.
_AUDIO_OUTPUT_SYNCHRONOUS = 2
_INITIALIZE_DONT_EXIT = 0x8000
_PARAMETER_RATE = 1
_POSITION_CHARACTER = 1
_CHARS_UTF8 = 1
_OK = 0


class SpeechFailed(Exception):
    """espeak-ng could not speak: the message names the library call and its return value."""


class _Espeak:
    """The process's one espeak-ng: the library has global state, so it speaks one sentence at a time."""

    _Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)

    def __init__(self) -> None:
        self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        self._lock = threading.Lock()
        self._pcm = bytearray()
        self._callback = self._Callback(self._collect)  # kept: the library goes on calling it
        data = espeakng_loader.get_data_path().encode()
        self._rate_hz = self._library.espeak_Initialize(_AUDIO_OUTPUT_SYNCHRONOUS, 0, data, _INITIALIZE_DONT_EXIT)
        if self._rate_hz <= 0:
            raise SpeechFailed(f"espeak_Initialize answered {self._rate_hz}")
        self._library.espeak_SetSynthCallback(self._callback)

    def _collect(self, samples: "ctypes._Pointer[ctypes.c_short]", count: int, _events: int | None) -> int:
        if samples and count > 0:
            self._pcm += ctypes.string_at(samples, count * 2)
        return 0

    def speak(self, text: str, voice: str, rate: int) -> bytes:
        with self._lock:
            self._pcm.clear()
            self._check("espeak_SetVoiceByName", self._library.espeak_SetVoiceByName(voice.encode()))
            self._check("espeak_SetParameter", self._library.espeak_SetParameter(_PARAMETER_RATE, rate, 0))
            words = text.encode()
            synth = self._library.espeak_Synth
            answer = synth(words, len(words) + 1, 0, _POSITION_CHARACTER, 0, _CHARS_UTF8, None, None)
            self._check("espeak_Synth", answer)
            pcm, _state = audioop.ratecv(bytes(self._pcm), 2, 1, self._rate_hz, RATE_HZ, None)
        return audioop.lin2ulaw(pcm, 2)

    @staticmethod
    def _check(call: str, answer: int) -> None:
        if answer != _OK:
            raise SpeechFailed(f"{call} answered {answer}")


_espeak = functools.cache(_Espeak)


@functools.lru_cache(maxsize=256)
def speak(text: str, voice: str = "en-us", rate: int = WORDS_PER_MINUTE) -> bytes:
    """A sentence as mu-law, in one of espeak-ng's voices, at `rate` words a minute. May be called from any thread.

    Raises `SpeechFailed`, for an unknown voice for example.
    """
    return _espeak().speak(text, voice, rate)


def milliseconds(size: int) -> float:
    """The length of `size` bytes of audio, in ms."""
    return size / BYTES_PER_MS


def silence(ms: float) -> bytes:
    """Silence of `ms` milliseconds."""
    return SILENCE * round(ms * BYTES_PER_MS)


def tone(ms: int, hz: int = 440, level: float = 0.3) -> bytes:
    """A sine of exactly `ms` milliseconds; `level` is its peak, from 0 to 1."""
    second = _second_of_tone(hz, level)
    return (second * (ms // 1000 + 1))[: ms * BYTES_PER_MS]


@functools.cache
def _second_of_tone(hz: int, level: float) -> bytes:
    """One second of a tone. It can be repeated without a click, since it holds a whole number of oscillations."""
    peak, step = 32767 * level, 2 * math.pi * hz / RATE_HZ
    samples = (int(peak * math.sin(step * number)) for number in range(RATE_HZ))
    return audioop.lin2ulaw(struct.pack(f"<{RATE_HZ}h", *samples), 2)


def loudness(frame: bytes) -> float:
    """How loud mu-law audio is: its root mean square, from 0 to 1. A quiet line is near 0, a voice about 0.1."""
    return audioop.rms(audioop.ulaw2lin(frame, 2), 2) / 32768


def longest_silence(audio: bytes, after_ms: float, before_ms: float | None = None) -> float:
    """The longest silence between two moments of a recording, in ms, to the nearest 20 ms."""
    longest = quiet = 0
    for _at_ms, frame in _frames(audio, after_ms, before_ms):
        quiet = 0 if _is_audible(frame) else quiet + FRAME_MS
        longest = max(longest, quiet)
    return float(longest)


def first_sound(audio: bytes, after_ms: float) -> float | None:
    """When the first sound after `after_ms` begins in a recording, in ms; None if there is none."""
    return next((at_ms for at_ms, frame in _frames(audio, after_ms, None) if _is_audible(frame)), None)


def _is_audible(frame: bytes) -> bool:
    return frame != SILENT_FRAME and loudness(frame) > AUDIBLE


def _frames(audio: bytes, after_ms: float, before_ms: float | None) -> Iterator[tuple[float, bytes]]:
    end = len(audio) // FRAME_BYTES if before_ms is None else min(len(audio) // FRAME_BYTES, int(before_ms // FRAME_MS))
    for number in range(max(0, math.ceil(after_ms / FRAME_MS)), end):
        yield float(number * FRAME_MS), audio[number * FRAME_BYTES : (number + 1) * FRAME_BYTES]


def mixed(sounds: Sequence[bytes]) -> bytes:
    """One or more pieces of the same length, mixed together."""
    quiet = silence(milliseconds(len(sounds[0])))
    heard = [sound for sound in sounds if sound != quiet]
    if len(heard) < 2:
        return heard[0] if heard else quiet
    total = functools.reduce(lambda one, other: audioop.add(one, other, 2), (audioop.ulaw2lin(s, 2) for s in heard))
    return audioop.lin2ulaw(total, 2)


def write_stereo_wav(path: Path, left: bytes, right: bytes) -> None:
    """Writes two mu-law recordings as one stereo WAV (16-bit PCM, 8 kHz); the shorter one is padded with silence."""
    length = max(len(left), len(right))
    sides = [audioop.ulaw2lin(side.ljust(length, SILENCE), 2) for side in (left, right)]
    stereo = audioop.add(audioop.tostereo(sides[0], 2, 1, 0), audioop.tostereo(sides[1], 2, 0, 1), 2)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(stereo)
