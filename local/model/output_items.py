"""The server events of one output item, in the service's order."""

import base64
from typing import Any

from local.model.conversation import Conversation, Item, encode
from local.model.wire import Wire


class OutputItem:
    """Sends the events of one item of a response."""

    def __init__(self, wire: Wire, conversation: Conversation, item: Item, response_id: str, index: int) -> None:
        self.item = item
        self._wire = wire
        self._conversation = conversation
        self._previous: str | None = None
        self._place = {"response_id": response_id, "output_index": index}
        self.said = ""

    @property
    def _content(self) -> dict[str, Any]:
        return self._place | {"item_id": self.item.id, "content_index": 0}

    async def begin(self) -> None:
        """Announces the empty item, and the content part of a message."""
        content, self.item.content, self.item.status = self.item.content, None, "in_progress"
        await self._wire.send("response.output_item.added", **self._place, item=self.item.wire())
        self._previous = self._conversation.add(self.item)
        await self._wire.send("conversation.item.added", previous_item_id=self._previous, item=self.item.wire())
        self.item.content = content
        if content:
            await self._wire.send("response.content_part.added", **self._content, part=self._part())

    def _part(self) -> dict[str, Any]:
        # These events call parts `text` and `audio`, although an item's content is `output_text` and `output_audio`.
        if self.item.content == "output_text":
            return {"type": "text", "text": self.said}
        return {"type": "audio", "transcript": self.said}

    async def words(self, text: str) -> None:
        """Sends more of the transcript, or of the text of a response without audio."""
        self.said += text
        self.item.text = self.said
        kind = "output_text" if self.item.content == "output_text" else "output_audio_transcript"
        await self._wire.send(f"response.{kind}.delta", **self._content, delta=text)

    async def audio(self, mu_law: bytes, audio_format: str) -> None:
        """Sends more audio."""
        self.item.audio += mu_law
        delta = base64.b64encode(encode(mu_law, audio_format)).decode()
        await self._wire.send("response.output_audio.delta", **self._content, delta=delta)

    async def arguments(self, text: str) -> None:
        """Sends more of a function call's arguments."""
        self.item.arguments += text
        place = self._place | {"item_id": self.item.id, "call_id": self.item.call_id}
        await self._wire.send("response.function_call_arguments.delta", **place, delta=text)

    async def end(self, status: str) -> None:
        """Sends the closing events; interrupted items get them too."""
        self.item.status = status
        if self.item.content == "output_audio":
            await self._wire.send("response.output_audio.done", **self._content)
            await self._wire.send("response.output_audio_transcript.done", **self._content, transcript=self.said)
        elif self.item.content == "output_text":
            await self._wire.send("response.output_text.done", **self._content, text=self.said)
        if self.item.content:
            await self._wire.send("response.content_part.done", **self._content, part=self._part())
        else:
            await self._arguments_done()
        await self._wire.send("conversation.item.done", previous_item_id=self._previous, item=self.item.wire())
        await self._wire.send("response.output_item.done", **self._place, item=self.item.wire())

    async def _arguments_done(self) -> None:
        item = self.item
        place = self._place | {"item_id": item.id, "call_id": item.call_id}
        fields = {"name": item.name, "arguments": item.arguments}
        await self._wire.send("response.function_call_arguments.done", **place, **fields)
