"""Token counts as the service reports them: 10 for a second of the caller's audio, 20 for a second of its own, and
about one for four letters of text."""

from collections.abc import Sequence
from typing import Any

from local.model.conversation import Item

INPUT_AUDIO_PER_S, OUTPUT_AUDIO_PER_S = 10, 20
LETTERS_PER_TOKEN = 4


def text_tokens(text: str) -> int:
    return -(-len(text) // LETTERS_PER_TOKEN)


def _input(items: Sequence[Item]) -> tuple[int, int]:
    """Text and audio tokens of input items; a spoken item counts by its audio only."""
    text = audio = 0
    for item in items:
        if item.content in ("input_audio", "output_audio"):
            per_s = INPUT_AUDIO_PER_S if item.role == "user" else OUTPUT_AUDIO_PER_S
            audio += item.audio_ms * per_s // 1000
        else:
            text += text_tokens((item.text or "") + item.arguments + item.output)
    return text, audio


def response_usage(
    instructions: str, tools: str, context: Sequence[Item], new: int, outputs: Sequence[Item]
) -> dict[str, Any]:
    """The `usage` of a response to `context`; its last `new` items were in no earlier response's input."""
    fixed = text_tokens(instructions + tools)
    text, audio = _input(context)
    cached_text, cached_audio = _input(context[: len(context) - new]) if len(context) > new else (0, 0)
    cached_text += fixed if len(context) > new else 0
    out_text = sum(text_tokens((item.text or "") + item.arguments) for item in outputs)
    out_audio = sum(item.audio_ms * OUTPUT_AUDIO_PER_S // 1000 for item in outputs)
    total_in, total_out = fixed + text + audio, out_text + out_audio
    return {
        "total_tokens": total_in + total_out,
        "input_tokens": total_in,
        "output_tokens": total_out,
        "input_token_details": {
            "text_tokens": fixed + text,
            "audio_tokens": audio,
            "image_tokens": 0,
            "cached_tokens": cached_text + cached_audio,
            "cached_tokens_details": {"text_tokens": cached_text, "audio_tokens": cached_audio, "image_tokens": 0},
        },
        "output_token_details": {"text_tokens": out_text, "audio_tokens": out_audio},
    }


NO_USAGE = response_usage("", "", [], 0, [])


def transcription_usage(model: str, audio_ms: int, transcript: str) -> dict[str, Any]:
    """The `usage` of a transcription: whisper is billed by the second, the others by tokens."""
    if model == "whisper-1":
        return {"type": "duration", "seconds": -(-audio_ms // 1000)}
    audio, text = audio_ms * INPUT_AUDIO_PER_S // 1000, text_tokens(transcript)
    return {
        "type": "tokens",
        "total_tokens": audio + text,
        "input_tokens": audio,
        "input_token_details": {"text_tokens": 0, "audio_tokens": audio},
        "output_tokens": text,
    }
