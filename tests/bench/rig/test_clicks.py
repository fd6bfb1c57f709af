"""Clicks survive a bridge that resamples mu-law to PCM."""

import asyncio
import audioop
import json
from base64 import b64decode, b64encode

from websockets.asyncio.client import connect

from bench.rig.clicks import Calls
from bench.rig.gauges import Gauges
from bench.rig.model import Distance, Model, Script
from bench.rig.phone import Line
from local.stack.process import HOST, free_port

NUMBER = 12
PATH = f"v1/realtime/CA{NUMBER:032}?model=any"


def _append(frame: bytes) -> str:
    """A caller's frame as a resampling bridge forwards it."""
    pcm, _state = audioop.ratecv(audioop.ulaw2lin(b64decode(frame), 2), 2, 1, 8000, 24000, None)
    return json.dumps({"type": "input_audio_buffer.append", "audio": b64encode(pcm).decode()})


def _media(delta: str) -> bytes:
    """A piece of the agent's audio as such a bridge forwards it."""
    pcm, _state = audioop.ratecv(b64decode(delta), 2, 1, 24000, 8000, None)
    payload = b64encode(audioop.lin2ulaw(pcm, 2)).decode()
    return json.dumps({"event": "media", "media": {"payload": payload}}).encode()


async def test_clicks_are_heard_once_at_either_end_of_the_right_call() -> None:
    """The caller's in one frame of fifty after the agent's first audio, and the agent's at the start of an answer."""
    gauges, calls, port = Gauges(recording=True), Calls(), free_port()
    model = Model(Script(), gauges, Distance(), calls.session)
    phone = calls.phone(NUMBER, Line(port, lambda _sid: "", ""), gauges, lambda _serial: None)
    async with await model.serve(HOST, port), connect(f"ws://{HOST}:{port}/{PATH}", compression=None) as bridge:
        await bridge.send(json.dumps({"type": "response.create"}))
        while phone.hearing.arrived == 0:
            event = json.loads(await bridge.recv())
            if event["type"] == "response.output_audio.delta":
                phone.receives(_media(event["delta"]))
        for count in range(100):
            await bridge.send(_append(phone.frame(count)))
        session = model.sessions[0]
        async with asyncio.timeout(10):
            while session.hearing.arrived < 2:
                await asyncio.sleep(0.01)
    assert (phone.traceable, session.hearing.arrived, session.deltas_sent, phone.hearing.arrived) == (2, 2, 1, 1)
    assert (phone.hearing.peer, session.hearing.peer) == (session.serial, NUMBER)
    assert (len(gauges.to_model), len(gauges.to_phone)) == (2, 1)


async def test_a_click_in_two_pieces_is_one_click() -> None:
    """A new click needs silence before it."""
    calls = Calls()
    phone = calls.phone(NUMBER, Line(0, lambda _sid: "", ""), Gauges(), lambda _serial: None)
    calls.of(NUMBER).to_phone.extend([1, 2])
    loud, quiet = (b64encode(audioop.bias(bytes(960), 2, level)).decode() for level in (16000, 0))
    heard = []
    for piece in (loud, loud, quiet, loud):
        phone.receives(_media(piece))
        heard.append(phone.hearing.arrived)
    assert heard == [1, 1, 1, 2]
