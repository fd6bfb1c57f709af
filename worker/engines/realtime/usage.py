"""The tokens that one call has used, and their approximate cost."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from shared.agents.openai_models import REALTIME_MODELS, TRANSCRIPTION_PRICES

# Limits for one response or one turn of a caller. No model has such a context and no session lives so long: larger
# values, and values that are not numbers, are not counted.
_MOST_TOKENS: Final = 10**9
_MOST_SECONDS: Final = 24 * 3600


@dataclass(slots=True)
class Usage:
    """Sums of a call's responses and transcriptions.

    The `*_in` counts include the `*_in_cached` counts, as in the API. Another model transcribes and is billed
    separately: in tokens or, like all current models, by the length of the speech.
    """

    text_in: int = 0
    text_in_cached: int = 0
    text_out: int = 0
    audio_in: int = 0
    audio_in_cached: int = 0
    audio_out: int = 0
    transcription_in: int = 0
    transcription_out: int = 0
    transcription_seconds: float = 0.0

    def add_response(self, usage: Mapping[str, Any] | None) -> None:
        """Adds `response.usage` of a `response.done`; a response that failed has none.

        Tokens without a kind count as text: reasoning counts as output and has no field of its own. Cached tokens
        without a kind count as text first, so that the cost is over- rather than underestimated.
        """
        usage = usage or {}
        given, made = _part(usage, "input_token_details"), _part(usage, "output_token_details")
        audio_in, audio_out = _count(given, "audio_tokens"), _count(made, "audio_tokens")
        text_in = max(_count(given, "text_tokens"), _count(usage, "input_tokens") - audio_in)
        text_out = max(_count(made, "text_tokens"), _count(usage, "output_tokens") - audio_out)

        cached = _part(given, "cached_tokens_details")
        audio_cached = min(_count(cached, "audio_tokens"), audio_in)
        text_cached = min(max(_count(cached, "text_tokens"), _count(given, "cached_tokens") - audio_cached), text_in)
        if not cached:
            audio_cached = min(_count(given, "cached_tokens") - text_cached, audio_in)

        self.text_in += text_in
        self.text_in_cached += text_cached
        self.text_out += text_out
        self.audio_in += audio_in
        self.audio_in_cached += audio_cached
        self.audio_out += audio_out

    def add_transcription(self, usage: Mapping[str, Any] | None) -> None:
        """Adds `usage` of a `conversation.item.input_audio_transcription.completed`, in tokens or in seconds."""
        usage = usage or {}
        self.transcription_in += _count(usage, "input_tokens")
        self.transcription_out += _count(usage, "output_tokens")
        seconds = usage.get("seconds")
        if isinstance(seconds, int | float) and not isinstance(seconds, bool) and 0 < seconds <= _MOST_SECONDS:
            self.transcription_seconds += seconds

    def tokens(self) -> dict[str, int]:
        """All token counts by name, for a log line or a metric."""
        return {name: count for name, count in asdict(self).items() if name != "transcription_seconds"}

    def cost(self, model: str) -> float | None:
        """The approximate cost of the responses in US dollars, without transcription; None if the price is unknown."""
        known = REALTIME_MODELS.get(model)
        if known is None:
            return None
        prices = known.prices
        millionths = (
            (self.text_in - self.text_in_cached) * prices.text_in
            + self.text_in_cached * prices.text_in_cached
            + self.text_out * prices.text_out
            + (self.audio_in - self.audio_in_cached) * prices.audio_in
            + self.audio_in_cached * prices.audio_in_cached
            + self.audio_out * prices.audio_out
        )
        return millionths / 1_000_000

    def transcription_cost(self, model: str) -> float | None:
        """The approximate cost of transcription in US dollars; None if billed in tokens or the price is unknown."""
        price = TRANSCRIPTION_PRICES.get(model)
        if price is None or self.transcription_in or self.transcription_out:
            return None
        return self.transcription_seconds / 60 * price


def _part(usage: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = usage.get(name)
    return part if isinstance(part, Mapping) else {}


def _count(usage: Mapping[str, Any], name: str) -> int:
    count = usage.get(name)
    return count if type(count) is int and 0 < count <= _MOST_TOKENS else 0
