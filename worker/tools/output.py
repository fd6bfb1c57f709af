"""A tool's result or failure as the model reads it: always one string of bounded length."""

import json
from enum import Enum
from typing import Final, Literal

from pydantic_core import to_json

MAX_CHARACTERS: Final = 16_000
"""About 4,000 tokens: far more than can be said on a phone, far less than a model's context (32,000 tokens and up)."""


def to_output(result: object) -> str:
    """Any value as the string that the model reads: text unchanged, all else as JSON if possible, or as `str()`."""
    if isinstance(result, Enum):
        result = result.value
    text = result if isinstance(result, str) else _as_json(result)
    return _cut(_sendable(text))


def error_output(message: str, problems: dict[str, str] | None = None) -> str:
    """A failure as the model reads it: `{"error": ...}`, with the problem of each argument, if known."""
    error: dict[str, object] = {"error": message}
    if problems:
        error["arguments"] = problems
    return _cut(_sendable(json.dumps(error, ensure_ascii=False)))


def _as_json(result: object) -> str:
    """JSON, or `str()` of what JSON cannot represent: a structure that contains itself or is too deep."""
    modes: tuple[Literal["utf8", "base64"], ...] = ("utf8", "base64")  # bytes are mostly text; base64 holds any
    for bytes_mode in modes:
        try:
            # A bare NaN is not JSON, and null would mean that there is no value, so it becomes the string "NaN".
            return to_json(result, by_alias=False, inf_nan_mode="strings", bytes_mode=bytes_mode, fallback=str).decode()
        except (ValueError, RecursionError):
            continue
    return str(result)


def _sendable(text: str) -> str:
    """Replaces lone surrogates, which UTF-8 cannot encode, by question marks."""
    return text.encode("utf-8", errors="replace").decode()


def _cut(text: str) -> str:
    if len(text) <= MAX_CHARACTERS:
        return text
    note = f" [cut here: the whole result has {len(text)} characters]"
    return text[: MAX_CHARACTERS - len(note)] + note
