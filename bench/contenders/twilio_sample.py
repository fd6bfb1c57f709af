"""The bridge of Twilio's Python sample, rebuilt: like the forum's, with marks and truncation.

It opens the model's socket as soon as Twilio's is open, decodes and encodes the agent's audio, sends a mark after
every piece of it, and truncates an interrupted answer in the model to the part that was heard.
"""

import asyncio
import base64
import json
from typing import Any

import websockets
from fastapi import WebSocket
from websockets.protocol import State

from bench.contenders.serving import MODEL, authorization, model_url, serve


class _Call:
    """One call: the state that both directions share."""

    def __init__(self, twilio: WebSocket, model: websockets.ClientConnection) -> None:
        self._twilio = twilio
        self._model = model
        self._stream_sid: str | None = None
        self._timestamp = 0  # of the caller's last frame
        self._answer_began: int | None = None  # by the caller's timestamps
        self._item_id: str | None = None
        self._marks: list[str] = []

    async def begin(self) -> None:
        session = {
            "type": "realtime",
            "model": MODEL,
            "output_modalities": ["audio"],
            "audio": {
                "input": {"format": {"type": "audio/pcmu"}, "turn_detection": {"type": "server_vad"}},
                "output": {"format": {"type": "audio/pcmu"}, "voice": "alloy"},
            },
            "instructions": "You are a helpful and bubbly assistant who loves to chat.",
        }
        greeting = {"type": "input_text", "text": "Greet the caller."}
        item = {"type": "message", "role": "user", "content": [greeting]}
        await self._tell({"type": "session.update", "session": session})
        await self._tell({"type": "conversation.item.create", "item": item})
        await self._tell({"type": "response.create"})

    async def from_twilio(self) -> None:
        async for text in self._twilio.iter_text():
            message = json.loads(text)
            if message["event"] == "media" and self._model.state is State.OPEN:
                self._timestamp = int(message["media"]["timestamp"])
                await self._tell({"type": "input_audio_buffer.append", "audio": message["media"]["payload"]})
            elif message["event"] == "start":
                self._stream_sid = message["start"]["streamSid"]
            elif message["event"] == "mark" and self._marks:
                self._marks.pop(0)
        await self._model.close()

    async def from_model(self) -> None:
        async for text in self._model:
            event = json.loads(text)
            if event["type"] == "response.output_audio.delta":
                await self._play(event)
            elif event["type"] == "input_audio_buffer.speech_started" and self._item_id:
                await self._interrupt()

    async def _play(self, event: dict[str, Any]) -> None:
        payload = base64.b64encode(base64.b64decode(event["delta"])).decode()
        await self._say({"event": "media", "streamSid": self._stream_sid, "media": {"payload": payload}})
        if event["item_id"] != self._item_id:
            self._answer_began, self._item_id = self._timestamp, event["item_id"]
        await self._say({"event": "mark", "streamSid": self._stream_sid, "mark": {"name": "responsePart"}})
        self._marks.append("responsePart")

    async def _interrupt(self) -> None:
        if self._marks and self._answer_began is not None:
            heard = self._timestamp - self._answer_began
            truncate = {"item_id": self._item_id, "content_index": 0, "audio_end_ms": heard}
            await self._tell({"type": "conversation.item.truncate", **truncate})
            await self._say({"event": "clear", "streamSid": self._stream_sid})
            self._marks.clear()
            self._item_id = self._answer_began = None

    async def _tell(self, event: dict[str, Any]) -> None:
        await self._model.send(json.dumps(event))

    async def _say(self, message: dict[str, Any]) -> None:
        await self._twilio.send_json(message)


async def media_stream(twilio: WebSocket) -> None:
    """Serves one call, from Twilio's handshake to the hang-up."""
    await twilio.accept()
    async with websockets.connect(f"{model_url()}?model={MODEL}", additional_headers=authorization()) as model:
        call = _Call(twilio, model)
        await call.begin()
        await asyncio.gather(call.from_twilio(), call.from_model())


if __name__ == "__main__":
    serve(media_stream)
