"""OpenAI's agents SDK between Twilio and the model, built as in the SDK's own Twilio example.

The session is entered before Twilio's socket is accepted. The caller's audio is collected for 50 ms, the agent's is
buffered and marked, and a task for each call checks every 50 ms for audio that has waited too long.
"""

import asyncio
import base64
import json
import os
import time
from typing import Any, Final

from agents.realtime import RealtimeAgent, RealtimePlaybackTracker, RealtimeRunner, RealtimeSession
from fastapi import WebSocket, WebSocketDisconnect

from bench.contenders.serving import MODEL, model_url, serve

_GATHERED_S: Final = 0.05
_GATHERED_BYTES: Final = int(8000 * _GATHERED_S)
_agent = RealtimeAgent(name="Twilio assistant", instructions="You are a helpful assistant on the phone. Be concise.")


class _Call:
    """One call: a loop for each direction, and one that flushes the buffers."""

    def __init__(self, twilio: WebSocket, session: RealtimeSession, tracker: RealtimePlaybackTracker) -> None:
        self._twilio = twilio
        self._session = session
        self._tracker = tracker
        self._stream_sid: str | None = None
        self._inbound, self._inbound_sent = bytearray(), time.time()
        self._outbound, self._outbound_sent = bytearray(), time.time()
        self._unsent_marks: list[str] = []
        self._marks: dict[str, tuple[str, int, int]] = {}
        self._marks_made = 0

    async def run(self) -> None:
        loops = [asyncio.create_task(loop) for loop in (self._from_model(), self._flush())]
        try:
            await self._from_twilio()
        except WebSocketDisconnect:
            return
        finally:
            for loop in loops:
                loop.cancel()

    async def _from_twilio(self) -> None:
        while True:
            message = json.loads(await self._twilio.receive_text())
            match message["event"]:
                case "start":
                    self._stream_sid = message["start"]["streamSid"]
                    await self._session.send_message("Greet the caller.")
                case "media":
                    self._inbound.extend(base64.b64decode(message["media"]["payload"]))
                    if len(self._inbound) >= _GATHERED_BYTES:
                        await self._send_inbound()
                case "mark":
                    self._has_been_heard(message["mark"]["name"])

    async def _from_model(self) -> None:
        async for event in self._session:
            if event.type == "audio":
                self._outbound.extend(event.audio.data)
                self._marks_made += 1
                name = str(self._marks_made)
                self._marks[name] = (event.audio.item_id, event.audio.content_index, len(event.audio.data))
                self._unsent_marks.append(name)
                if len(self._outbound) >= _GATHERED_BYTES:
                    await self._send_outbound()
            elif event.type == "audio_interrupted":
                await self._send_outbound()
                await self._say({"event": "clear", "streamSid": self._stream_sid})
            elif event.type == "audio_end":
                await self._send_outbound()

    async def _flush(self) -> None:
        while True:
            await asyncio.sleep(_GATHERED_S)
            now = time.time()
            if self._inbound and now - self._inbound_sent > _GATHERED_S * 2:
                await self._send_inbound()
            if self._outbound and now - self._outbound_sent > _GATHERED_S * 2:
                await self._send_outbound()

    def _has_been_heard(self, name: str) -> None:
        if name in self._marks:
            item_id, content_index, size = self._marks.pop(name)
            self._tracker.on_play_bytes(item_id, content_index, bytes(size))

    async def _send_inbound(self) -> None:
        await self._session.send_audio(bytes(self._inbound))
        self._inbound.clear()
        self._inbound_sent = time.time()

    async def _send_outbound(self) -> None:
        if not self._outbound:
            return
        payload = base64.b64encode(bytes(self._outbound)).decode()
        await self._say({"event": "media", "streamSid": self._stream_sid, "media": {"payload": payload}})
        for name in self._unsent_marks:
            await self._say({"event": "mark", "streamSid": self._stream_sid, "mark": {"name": name}})
        self._outbound.clear()
        self._unsent_marks.clear()
        self._outbound_sent = time.time()

    async def _say(self, message: dict[str, Any]) -> None:
        await self._twilio.send_text(json.dumps(message))


async def media_stream(twilio: WebSocket) -> None:
    """Serves one call, from Twilio's handshake to the hang-up."""
    tracker = RealtimePlaybackTracker()
    session = await RealtimeRunner(_agent).run(
        model_config={
            "api_key": os.environ["OPENAI_API_KEY"],
            "url": f"{model_url()}?model={MODEL}",
            "initial_model_settings": {
                "input_audio_format": "g711_ulaw",
                "output_audio_format": "g711_ulaw",
                "turn_detection": {"type": "semantic_vad", "interrupt_response": True, "create_response": True},
            },
            "playback_tracker": tracker,
        }
    )
    async with session:
        await twilio.accept()
        await _Call(twilio, session, tracker).run()


if __name__ == "__main__":
    serve(media_stream)
