"""Decodes JSON messages that name their type directly into the class of that type."""

from typing import Any, Final, Generic, TypeVar

import msgspec

Message = TypeVar("Message")

# For bytes that are not UTF-8 and for JSON that is nested too deep, msgspec raises Python's own exceptions.
_NOT_DECODED: Final = (msgspec.DecodeError, ValueError, OverflowError, RecursionError)
_MAX_ERROR_CHARACTERS: Final = 200  # an error's text may repeat what was sent
_QUOTE: Final = 0x22


class Malformed(ValueError):
    """Not JSON in UTF-8, or a known type with missing or wrong fields."""


class TaggedDecoder(Generic[Message]):
    """Decodes one of a union of tagged structs. An unknown type is ignored and is no error.

    Twilio and OpenAI both add types without notice.
    """

    def __init__(self, union: Any, tag_field: str) -> None:
        self._decoder: msgspec.json.Decoder[Message] = msgspec.json.Decoder(union)
        self._tag_field = tag_field
        self._known = {struct.__struct_config__.tag for struct in union.__args__}

    def decode(self, data: bytes | str) -> Message | None:
        """The message, or None if its type is unknown; raises `Malformed` for anything else."""
        try:
            if not data.isascii() and isinstance(data, bytes):
                data.decode()  # msgspec does not check skipped fields and `Raw` values for UTF-8
            return self._decoder.decode(data)
        except _NOT_DECODED as error:
            if self._is_new(data):
                return None
            raise Malformed(str(error)[:_MAX_ERROR_CHARACTERS]) from error

    def _is_new(self, data: bytes | str) -> bool:
        """Whether a message that could not be decoded is valid JSON of an unknown type."""
        try:
            message = msgspec.json.decode(data)
        except _NOT_DECODED:
            return False
        tag = message.get(self._tag_field) if isinstance(message, dict) else None
        return isinstance(tag, str) and tag not in self._known


def is_string(value: msgspec.Raw) -> bool:
    """Whether an undecoded value is a JSON string."""
    return memoryview(value)[0] == _QUOTE
