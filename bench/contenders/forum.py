"""The bridge that most people build first: FastAPI, a `websockets` client, and JSON both ways.

It rebuilds the voice bot of a forum thread on Realtime agents with tools, with the API's current event names. It keeps
that bot's mistakes that affect a frame's latency: it opens the model's socket only after `start`, cancels and clears
at every word of the caller, and requests a response again after every error.
"""

import asyncio
import json
from typing import Any, Final

import websockets
from fastapi import WebSocket

from bench.contenders.serving import MODEL, authorization, model_url, serve

_ESCALATE: Final = {
    "type": "function",
    "name": "escalate_to_human",
    "description": "Hands the caller over to a specialist.",
    "parameters": {"type": "object", "properties": {"reason": {"type": "string"}}, "required": ["reason"]},
}
_SESSION: Final = {
    "type": "realtime",
    "output_modalities": ["audio"],
    "instructions": "You are a friendly assistant on the phone. Always call a function if you can. " * 8,
    "audio": {
        "input": {
            "format": {"type": "audio/pcmu"},
            "transcription": {"model": "whisper-1"},
            "turn_detection": {
                "type": "server_vad",
                "threshold": 0.4,
                "prefix_padding_ms": 300,
                "silence_duration_ms": 600,
            },
        },
        "output": {"format": {"type": "audio/pcmu"}, "voice": "alloy"},
    },
    "tools": [_ESCALATE],
    "tool_choice": "required",
}


class _CallEnded(Exception):
    """Twilio has sent `stop`."""


async def media_stream(twilio: WebSocket) -> None:
    """Serves one call, from Twilio's handshake to its `stop`."""
    await twilio.accept()
    stream_sid = await _started(twilio)
    async with websockets.connect(f"{model_url()}?model={MODEL}", additional_headers=authorization()) as model:
        await model.send(json.dumps({"type": "session.update", "session": _SESSION}))
        await model.send(json.dumps({"type": "response.create"}))
        try:
            await asyncio.gather(_from_twilio(twilio, model), _from_model(model, twilio, stream_sid))
        except _CallEnded:
            return


async def _started(twilio: WebSocket) -> str:
    async for text in twilio.iter_text():
        message = json.loads(text)
        if message["event"] == "start":
            return str(message["start"]["streamSid"])
    raise _CallEnded


async def _from_twilio(twilio: WebSocket, model: websockets.ClientConnection) -> None:
    async for text in twilio.iter_text():
        message = json.loads(text)
        match message["event"]:
            case "media":
                append = {"type": "input_audio_buffer.append", "audio": message["media"]["payload"]}
                await model.send(json.dumps(append))
            case "stop":
                raise _CallEnded


async def _from_model(model: websockets.ClientConnection, twilio: WebSocket, stream_sid: str) -> None:
    async for text in model:
        event: dict[str, Any] = json.loads(text)
        match event["type"]:
            case "response.output_audio.delta":
                media = {"event": "media", "streamSid": stream_sid, "media": {"payload": event["delta"]}}
                await twilio.send_text(json.dumps(media))
            case "input_audio_buffer.speech_started":
                await model.send(json.dumps({"type": "response.cancel"}))
                await twilio.send_text(json.dumps({"event": "clear", "streamSid": stream_sid}))
            case "response.function_call_arguments.done":
                output = {"type": "function_call_output", "call_id": event["call_id"], "output": "A specialist calls."}
                await model.send(json.dumps({"type": "conversation.item.create", "item": output}))
                await model.send(json.dumps({"type": "response.create"}))
            case "error":
                await model.send(json.dumps({"type": "response.create"}))


if __name__ == "__main__":
    serve(media_stream)
