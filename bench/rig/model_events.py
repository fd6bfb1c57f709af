"""The Realtime server's events: built once, with placeholders for what differs from one to the next."""

import json
from typing import Any, Final

_PCMU: Final = {"format": {"type": "audio/pcmu"}}
_USAGE: Final = {
    "total_tokens": 420,
    "input_tokens": 360,
    "output_tokens": 60,
    "input_token_details": {
        "text_tokens": 300,
        "audio_tokens": 60,
        "cached_tokens": 256,
        "cached_tokens_details": {"text_tokens": 256, "audio_tokens": 0},
    },
    "output_token_details": {"text_tokens": 15, "audio_tokens": 45},
}


def event(kind: str, **fields: Any) -> bytes:
    """An event as JSON without spaces."""
    return json.dumps({"type": kind, "event_id": "event_bench", **fields}, separators=(",", ":")).encode()


CREATED: Final = event("session.created", session={"type": "realtime", "id": "sess_bench", "model": "gpt-realtime-2.1"})
REFUSED: Final = event(
    "error",
    error={
        "type": "invalid_request_error",
        "code": "conversation_already_has_active_response",
        "message": "Conversation already has an active response",
        "event_id": None,
    },
)


def session_updated(session: dict[str, Any]) -> bytes:
    """The `session.updated` event for a configuration; its audio is mu-law if not given."""
    session.setdefault("audio", {"input": _PCMU, "output": _PCMU})
    return event("session.updated", session={**session, "id": "sess_bench"})


class Answer:
    """The events of one response with one item, a spoken message."""

    def __init__(self, number: int, metadata: dict[str, str] | None) -> None:
        self.item_id = f"item_{number}"
        self._response = {"id": f"resp_{number}", "object": "realtime.response", "metadata": metadata}
        ids = {"response_id": f"resp_{number}", "item_id": self.item_id, "output_index": 0, "content_index": 0}
        self._before_audio, self._after_audio = event("response.output_audio.delta", **ids, delta="|").split(b"|")
        self.words = event("response.output_audio_transcript.delta", **ids, delta=" words")
        self._ids = ids

    def _item(self, status: str) -> dict[str, Any]:
        content = [{"type": "output_audio", "transcript": " words"}] if status == "completed" else []
        return {"id": self.item_id, "type": "message", "role": "assistant", "status": status, "content": content}

    def beginning(self) -> list[bytes]:
        item = {"response_id": self._ids["response_id"], "output_index": 0, "item": self._item("in_progress")}
        return [
            event("response.created", response={**self._response, "status": "in_progress"}),
            event("response.output_item.added", **item),
            event("conversation.item.added", item=self._item("in_progress"), previous_item_id=None),
            event("response.content_part.added", **self._ids, part={"type": "audio", "transcript": ""}),
        ]

    def delta(self, payload: bytes) -> bytes:
        return b"%b%b%b" % (self._before_audio, payload, self._after_audio)

    def end(self) -> list[bytes]:
        item = {"response_id": self._ids["response_id"], "output_index": 0, "item": self._item("completed")}
        response = {**self._response, "status": "completed", "output": [self._item("completed")], "usage": _USAGE}
        return [
            event("response.output_audio.done", **self._ids),
            event("response.output_audio_transcript.done", **self._ids, transcript=" words"),
            event("response.content_part.done", **self._ids, part={"type": "audio", "transcript": " words"}),
            event("response.output_item.done", **item),
            event("conversation.item.done", item=self._item("completed"), previous_item_id=None),
            event("response.done", response=response),
        ]


def speech_started(item_id: str) -> bytes:
    return event("input_audio_buffer.speech_started", audio_start_ms=0, item_id=item_id)


def speech_ended(item_id: str) -> list[bytes]:
    """The events after a caller's turn that voice activity detection has found."""
    item = {"id": item_id, "type": "message", "role": "user", "status": "completed", "content": []}
    return [
        event("input_audio_buffer.speech_stopped", audio_end_ms=0, item_id=item_id),
        event("input_audio_buffer.committed", item_id=item_id, previous_item_id=None),
        event("conversation.item.added", item=item, previous_item_id=None),
        event("conversation.item.done", item=item, previous_item_id=None),
        event(
            "conversation.item.input_audio_transcription.completed",
            item_id=item_id,
            content_index=0,
            transcript="words",
            usage={"type": "duration", "seconds": 2},
        ),
    ]


def item_created(item: dict[str, Any]) -> list[bytes]:
    """The events after an item that the bridge has created."""
    item = {"id": "item_given", "status": "completed", **item}
    return [event(f"conversation.item.{step}", item=item, previous_item_id=None) for step in ("added", "done")]


def retrieved(item_id: str) -> bytes:
    item = {"id": item_id, "type": "message", "role": "user", "status": "completed", "content": []}
    return event("conversation.item.retrieved", item=item)


def truncated(asked: dict[str, Any]) -> bytes:
    fields = {name: asked.get(name) for name in ("item_id", "content_index", "audio_end_ms")}
    return event("conversation.item.truncated", **fields)
