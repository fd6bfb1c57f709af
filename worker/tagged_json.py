"""JSON messages that carry their type: decoded at once into the type's own class."""

from typing import Any, Generic, TypeVar

import msgspec

Message = TypeVar("Message")


class TaggedDecoder(Generic[Message]):
    """Decodes one of a union of tagged structs; a type that is not among them is nothing to us, and no error.

    Both Twilio and OpenAI add types without notice.
    """

    def __init__(self, union: Any, tag_field: str) -> None:
        self._decoder: msgspec.json.Decoder[Message] = msgspec.json.Decoder(union)
        self._tag_field = tag_field
        self._known = {struct.__struct_config__.tag for struct in union.__args__}

    def decode(self, data: bytes | str) -> Message | None:
        """The message, or None for a type that we do not know; raises `msgspec.DecodeError` for anything else."""
        try:
            return self._decoder.decode(data)
        except msgspec.DecodeError:
            # Only now, since hardly any message comes here: is it wrong, or just new?
            message = msgspec.json.decode(data)
            tag = message.get(self._tag_field) if isinstance(message, dict) else None
            if isinstance(tag, str) and tag not in self._known:
                return None
            raise
