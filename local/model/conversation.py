"""The default conversation: its items in order, and the operations that the API allows on them."""

import audioop
import base64
import binascii
from dataclasses import dataclass, field
from typing import Any

from openai.types.realtime import (
    ConversationItem,
    RealtimeConversationItemAssistantMessage,
    RealtimeConversationItemFunctionCall,
    RealtimeConversationItemFunctionCallOutput,
    RealtimeConversationItemSystemMessage,
    RealtimeConversationItemUserMessage,
)

from local.model.ids import new_id
from local.model.refusals import Refused, invalid

BYTES_PER_MS = 8  # mu-law at 8 kHz, the format in which items keep their audio


@dataclass
class Item:
    """A message, a function call or its output."""

    type: str
    id: str = field(default_factory=lambda: new_id("item"))
    status: str = "completed"
    role: str | None = None
    content: str | None = None  # input_audio, output_text or output_audio
    given: list[dict[str, Any]] = field(default_factory=list)  # the content parts of a message that the client created
    text: str | None = None  # the text, or the transcript of audio
    audio: bytes = b""
    name: str = ""
    call_id: str = ""
    arguments: str = ""
    output: str = ""

    @property
    def audio_ms(self) -> int:
        return len(self.audio) // BYTES_PER_MS

    def wire(self, audio_format: str | None = None) -> dict[str, Any]:
        """The item as events contain it; with `audio_format`, including its audio."""
        shown: dict[str, Any] = {"id": self.id, "object": "realtime.item", "type": self.type, "status": self.status}
        if self.type == "function_call":
            return shown | {"name": self.name, "call_id": self.call_id, "arguments": self.arguments}
        if self.type == "function_call_output":
            return shown | {"call_id": self.call_id, "output": self.output}
        shown["role"] = self.role
        shown["content"] = self._given(audio_format) or ([self._part(audio_format)] if self.content else [])
        return shown

    def _given(self, audio_format: str | None) -> list[dict[str, Any]]:
        return [{key: value for key, value in part.items() if key != "audio" or audio_format} for part in self.given]

    def _part(self, audio_format: str | None) -> dict[str, Any]:
        if self.content == "output_text":
            return {"type": self.content, "text": self.text or ""}
        part = {"type": self.content, "transcript": self.text}
        if audio_format:
            part["audio"] = base64.b64encode(encode(self.audio, audio_format)).decode()
        return part


def encode(mu_law: bytes, audio_format: str) -> bytes:
    """Mu-law at 8 kHz in one of the API's formats."""
    if audio_format == "audio/pcmu":
        return mu_law
    pcm = audioop.ulaw2lin(mu_law, 2)
    if audio_format == "audio/pcma":
        return audioop.lin2alaw(pcm, 2)
    return audioop.ratecv(pcm, 2, 1, 8000, 24000, None)[0]


def given_item(given: ConversationItem) -> Item:
    """The item that a client creates; raises `Refused` for audio that is not base64, and for MCP items."""
    own_id = given.id or new_id("item")
    match given:
        case RealtimeConversationItemFunctionCall():
            call_id = given.call_id or new_id("call")
            return Item("function_call", name=given.name, arguments=given.arguments, call_id=call_id, id=own_id)
        case RealtimeConversationItemFunctionCallOutput():
            return Item("function_call_output", call_id=given.call_id, output=given.output, id=own_id)
        case (
            RealtimeConversationItemUserMessage()
            | RealtimeConversationItemSystemMessage()
            | RealtimeConversationItemAssistantMessage()
        ):
            parts = [part.to_dict() for part in given.content]
            for number, part in enumerate(parts):
                _check_audio(part, f"item.content[{number}].audio")
            text = " ".join(str(part.get("text") or part.get("transcript") or "") for part in parts).strip()
            return Item("message", role=given.role, text=text, given=parts, id=own_id)
        case _:
            raise invalid("item.type", f"'{given.type}' is not simulated")


def _check_audio(part: dict[str, Any], param: str) -> None:
    try:
        base64.b64decode(part.get("audio", ""), validate=True)
    except (binascii.Error, ValueError):
        raise invalid(param, "expected base64-encoded audio") from None


class Conversation:
    """Items by id and in order; it refuses what the API refuses, with the API's own errors."""

    def __init__(self) -> None:
        self.id = new_id("conv")
        self.items: list[Item] = []

    def find(self, item_id: str) -> Item | None:
        """The item with an id; None if there is none."""
        return next((item for item in self.items if item.id == item_id), None)

    def add(self, item: Item, previous_item_id: str | None = None) -> str | None:
        """Inserts an item after another (None: at the end, "root": first); returns the id of the item before it."""
        if self.find(item.id):
            raise invalid("item.id", f"there is an item with the id '{item.id}' already")
        place = len(self.items)
        if previous_item_id == "root":
            place = 0
        elif previous_item_id is not None:
            place = self.items.index(self._known(previous_item_id, "item_not_found", "previous_item_id")) + 1
        if item.type == "function_call_output":
            self._check_output(item)
        self.items.insert(place, item)
        return self.items[place - 1].id if place else None

    def _check_output(self, output: Item) -> None:
        calls = [item.call_id for item in self.items if item.type == "function_call"]
        if output.call_id not in calls:
            message = f"Tool call ID '{output.call_id}' not found in conversation."
            raise Refused("invalid_tool_call_id", message, param="item.call_id")
        if any(item.type == "function_call_output" and item.call_id == output.call_id for item in self.items):
            raise invalid("item.call_id", f"tool call '{output.call_id}' has its output already")

    def truncate(self, item_id: str, content_index: int, audio_end_ms: int) -> None:
        """Truncates an assistant's audio and deletes its transcript, as the API does after a barge-in."""
        item = self._known(item_id, "item_truncate_invalid_item_id", "item_id")
        if item.role != "assistant" or item.content != "output_audio":
            raise invalid("item_id", "only an assistant's audio message can be truncated")
        if content_index != 0:
            raise invalid("content_index", "the item has one content part, number 0")
        if audio_end_ms > item.audio_ms:
            message = f"Audio content of {item.audio_ms}ms is already shorter than {audio_end_ms}ms"
            raise Refused("invalid_value", message, param="audio_end_ms")
        item.audio, item.text = item.audio[: audio_end_ms * BYTES_PER_MS], None

    def delete(self, item_id: str) -> None:
        """Deletes an item from the conversation."""
        self.items.remove(self._known(item_id, "item_delete_invalid_item_id", "item_id"))

    def retrieve(self, item_id: str) -> Item:
        """The item for `conversation.item.retrieve`; raises `Refused` if there is none."""
        return self._known(item_id, "item_retrieve_invalid_item_id", "item_id")

    def _known(self, item_id: str, code: str, param: str) -> Item:
        item = self.find(item_id)
        if item is None:
            raise Refused(code, f"The item with id '{item_id}' does not exist.", param=param)
        return item
