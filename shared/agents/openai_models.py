"""OpenAI's realtime models: names, abilities and prices.

Prices are from the model pages at developers.openai.com/api/docs/models, read in November 2026. To add a model, add a
line here.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Prices:
    """US dollars for a million tokens."""

    text_in: float
    text_in_cached: float
    text_out: float
    audio_in: float
    audio_in_cached: float
    audio_out: float


@dataclass(frozen=True, slots=True)
class RealtimeModel:
    """A model for conversations. Only models that reason take `reasoning.effort`; the others refuse it."""

    reasons: bool
    prices: Prices


DEFAULT_MODEL: Final = "gpt-realtime-2.1"

REALTIME_MODELS: Final = {
    "gpt-realtime-2.1": RealtimeModel(reasons=True, prices=Prices(4.00, 0.40, 24.00, 32.00, 0.40, 64.00)),
    "gpt-realtime-2.1-mini": RealtimeModel(reasons=True, prices=Prices(0.60, 0.06, 2.40, 10.00, 0.30, 20.00)),
    "gpt-realtime-2": RealtimeModel(reasons=True, prices=Prices(4.00, 0.40, 24.00, 32.00, 0.40, 64.00)),
    "gpt-realtime-1.5": RealtimeModel(reasons=False, prices=Prices(4.00, 0.40, 16.00, 32.00, 0.40, 64.00)),
}

RETIRED_REALTIME_MODELS: Final = {
    "gpt-realtime": "gpt-realtime-2.1",
    "gpt-realtime-2025-08-28": "gpt-realtime-2.1",
    "gpt-realtime-mini": "gpt-realtime-2.1-mini",
    "gpt-realtime-mini-2025-10-06": "gpt-realtime-2.1-mini",
    "gpt-realtime-mini-2025-12-15": "gpt-realtime-2.1-mini",
    "gpt-audio-mini": "gpt-realtime-2.1-mini",
    "gpt-audio-mini-2025-10-06": "gpt-realtime-2.1-mini",
    "gpt-audio-mini-2025-12-15": "gpt-realtime-2.1-mini",
    "gpt-4o-realtime-preview": "gpt-realtime-2.1",
    "gpt-4o-realtime-preview-2024-10-01": "gpt-realtime-2.1",
    "gpt-4o-realtime-preview-2024-12-17": "gpt-realtime-2.1",
    "gpt-4o-realtime-preview-2025-06-03": "gpt-realtime-2.1",
    "gpt-4o-mini-realtime-preview": "gpt-realtime-2.1-mini",
    "gpt-4o-mini-realtime-preview-2024-12-17": "gpt-realtime-2.1-mini",
}
"""Shut down, or to be shut down by 2027-01-20; each with the model to use instead."""

VOICES: Final = ("marin", "cedar", "alloy", "ash", "ballad", "coral", "echo", "sage", "shimmer", "verse")
"""OpenAI recommends the first two."""

DEFAULT_TRANSCRIPTION_MODEL: Final = "gpt-transcribe"
"""The cheapest, and made for turns that the session commits, as voice activity detection does."""

TRANSCRIPTION_PRICES: Final = {"gpt-transcribe": 0.0045, "gpt-live-transcribe": 0.017, "gpt-realtime-whisper": 0.017}
"""US dollars for a minute of the caller's speech."""

RETIRED_TRANSCRIPTION_MODELS: Final = {
    "whisper-1": DEFAULT_TRANSCRIPTION_MODEL,
    "gpt-4o-transcribe": DEFAULT_TRANSCRIPTION_MODEL,
    "gpt-4o-transcribe-diarize": DEFAULT_TRANSCRIPTION_MODEL,
    "gpt-4o-mini-transcribe": DEFAULT_TRANSCRIPTION_MODEL,
    "gpt-4o-mini-transcribe-2025-12-15": DEFAULT_TRANSCRIPTION_MODEL,
}
"""To be shut down on 2027-02-26; each with the model to use instead."""
