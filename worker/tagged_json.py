"""JSON messages that carry their type: decoded at once into the type's own class."""

from typing import Any, Final, Generic, TypeVar

import msgspec

Message = TypeVar("Message")

# msgspec tells of bytes that are not UTF-8, and of JSON that is nested too deep, by exceptions of Python's own.
_NOT_DECODED: Final = (msgspec.DecodeError, ValueError, OverflowError, RecursionError)
_MOST_SAID: Final = 200  # of an error's text, which may repeat what was sent
_QUOTE: Final = 0x22


class Malformed(ValueError):
    """Not JSON in UTF-8, or a known type without what belongs to it."""


class TaggedDecoder(Generic[Message]):
    """Decodes one of a union of tagged structs; a type that is not among them is nothing to us, and no error.

    Both Twilio and OpenAI add types without notice.
    """

    def __init__(self, union: Any, tag_field: str) -> None:
        self._decoder: msgspec.json.Decoder[Message] = msgspec.json.Decoder(union)
        self._tag_field = tag_field
        self._known = {struct.__struct_config__.tag for struct in union.__args__}

    def decode(self, data: bytes | str) -> Message | None:
        """The message, or None for a type that we do not know; raises `Malformed` for anything else, whatever it is."""
        try:
            if not data.isascii() and isinstance(data, bytes):
                data.decode()  # msgspec skips what no struct asks for, and reads `Raw` values, without looking
            return self._decoder.decode(data)
        except _NOT_DECODED as error:
            if self._is_new(data):
                return None
            raise Malformed(str(error)[:_MOST_SAID]) from error

    def _is_new(self, data: bytes | str) -> bool:
        """Whether a message that could not be decoded is of a type that we do not know, and otherwise right."""
        try:
            message = msgspec.json.decode(data)
        except _NOT_DECODED:
            return False
        tag = message.get(self._tag_field) if isinstance(message, dict) else None
        return isinstance(tag, str) and tag not in self._known


def is_string(value: msgspec.Raw) -> bool:
    """Whether a value that is passed on undecoded is a string of JSON."""
    return memoryview(value)[0] == _QUOTE
