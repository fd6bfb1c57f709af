"""The rig's model sends only valid events, and follows its script."""

import asyncio
import json
import ssl
from collections import Counter
from pathlib import Path
from typing import Any

from openai.types.realtime import RealtimeServerEvent
from pydantic import TypeAdapter
from websockets.asyncio.client import connect

from bench.rig.certificate import Certificate
from bench.rig.gauges import Gauges
from bench.rig.model import Distance, Model, Script
from bench.rig.stamp import Payload
from local.stack.process import HOST, free_port

SCRIPT = Script(delta_ms=20, deltas=4, interrupted_after_ms=60, caller_speaks_ms=40)
REQUEST = {"type": "response.create", "response": {"metadata": {"tag": "1"}}}
_server_events: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)


async def _conversation(
    until: str, times: int, *requests: dict[str, Any], distance: Distance | None = None
) -> tuple[Model, list[dict[str, Any]]]:
    """A session's events from its start until the event `until` has come several times."""
    model, port = Model(SCRIPT, Gauges(), distance), free_port()
    events: list[dict[str, Any]] = []
    async with await model.serve(HOST, port), connect(f"ws://{HOST}:{port}/v1/realtime", compression=None) as socket:
        await socket.send(json.dumps({"type": "session.update", "session": {"type": "realtime"}}))
        for request in requests:
            await socket.send(json.dumps(request))
        async with asyncio.timeout(20):
            while Counter(event["type"] for event in events)[until] < times:
                events.append(json.loads(await socket.recv()))
    return model, events


async def test_every_event_is_one_of_the_official_sdk() -> None:
    """Checked with two turns, a truncation, an item from the bridge and a refusal."""
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Greet the caller."}]}
    given: list[dict[str, Any]] = [
        {"type": "conversation.item.create", "item": item},
        {"type": "conversation.item.retrieve", "item_id": "item_given"},
    ]
    truncation = {"type": "conversation.item.truncate", "item_id": "item_1", "content_index": 0, "audio_end_ms": 5}
    _model, events = await _conversation("response.done", 2, *given, REQUEST, REQUEST, truncation)
    for event in events:
        _server_events.validate_python(event)
    kinds = {event["type"] for event in events}
    assert {
        "conversation.item.retrieved",
        "conversation.item.truncated",
        "error",
        "input_audio_buffer.speech_started",
    } < kinds


async def test_the_first_answer_carries_the_tag_of_its_request() -> None:
    """Later ones have none, since the server starts them."""
    _model, events = await _conversation("response.created", 2, REQUEST)
    created = [event["response"]["metadata"] for event in events if event["type"] == "response.created"]
    assert created == [{"tag": "1"}, None]


async def test_a_turn_has_all_its_audio_before_the_caller_interrupts() -> None:
    """So no delta is dropped, and a clear must follow."""
    model, events = await _conversation("input_audio_buffer.speech_started", 2, REQUEST)
    kinds = [event["type"] for event in events]
    first = kinds.index("input_audio_buffer.speech_started")
    assert kinds[:first].count("response.output_audio.delta") == SCRIPT.deltas
    assert kinds.count("response.output_audio.delta") == 2 * SCRIPT.deltas
    assert model.sessions[0].interruptions == 2


async def test_a_session_notes_whose_audio_it_hears() -> None:
    """By the stamps in any message with audio."""
    frame = Payload(20).stamped(12, 0).decode()
    model, _events = await _conversation(
        "session.updated", 1, {"type": "input_audio_buffer.append", "audio": frame}, REQUEST
    )
    assert model.sessions[0].hearing.peer == 12


async def test_a_session_is_ready_from_when_it_has_said_so_first() -> None:
    """`ready_ns` is set at the first `session.updated`, and not changed by later ones."""
    again = {"type": "session.update", "session": {"type": "realtime"}}
    model, _events = await _conversation("session.updated", 1)
    session = model.sessions[0]
    ready_ns = session.ready_ns
    assert ready_ns is not None
    session.receives(json.dumps(again).encode())
    assert session.ready_ns == ready_ns


async def test_a_model_far_away_answers_all_the_same() -> None:
    """In the same order, after the delays of its handshake and requests."""
    far = Distance(round_trip_s=0.03, handshake_s=0.05)
    loop = asyncio.get_running_loop()
    began = loop.time()
    _model, events = await _conversation("response.done", 1, REQUEST, distance=far)
    assert [event["type"] for event in events][:3] == ["session.created", "session.updated", "response.created"]
    assert loop.time() - began >= far.handshake_s + far.round_trip_s


async def test_a_model_by_tls_is_one_that_its_authority_vouches_for(tmp_path: Path) -> None:
    """A client that trusts only this authority can connect, by the bridges' address."""
    certificate, model, port = Certificate.make(tmp_path), Model(SCRIPT, Gauges()), free_port()
    trusting = ssl.create_default_context(cafile=certificate.authority)
    async with (
        await model.serve(HOST, port, certificate.server),
        connect(f"wss://{HOST}:{port}/", ssl=trusting) as model_end,
    ):
        assert json.loads(await model_end.recv())["type"] == "session.created"
