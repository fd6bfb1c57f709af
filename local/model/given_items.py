"""Items that a client writes into the conversation, as the conversation keeps them."""

import base64
import binascii
from typing import Any

from local.model.client_events import GivenCall, GivenOutput
from local.model.conversation import Item
from local.model.ids import new_id
from local.model.refusals import invalid


def as_item(given: Any) -> Item:
    """The conversation's item for a validated one of a client; raises `Refused` for audio that is not base64."""
    known = {"id": given.id} if given.id else {}
    if isinstance(given, GivenCall):
        call_id = given.call_id or new_id("call")
        return Item("function_call", name=given.name, arguments=given.arguments, call_id=call_id, **known)
    if isinstance(given, GivenOutput):
        return Item("function_call_output", call_id=given.call_id, output=given.output, **known)
    parts = [part.model_dump(exclude_none=True) for part in given.content]
    for number, part in enumerate(parts):
        _check_audio(part, f"item.content[{number}].audio")
    text = " ".join(part.get("text") or part.get("transcript") or "" for part in parts).strip()
    return Item("message", role=given.role, text=text, given=parts, **known)


def _check_audio(part: dict[str, Any], param: str) -> None:
    try:
        base64.b64decode(part.get("audio", ""), validate=True)
    except (binascii.Error, ValueError):
        raise invalid(param, "expected base64-encoded audio") from None
