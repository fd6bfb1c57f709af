"""After a barge-in, the model's conversation holds what the caller heard."""

import pytest

from local.audio.pitch import say
from local.model import Say
from local.twilio.person import HangUp, Listen
from local.twilio.person import Say as Speak
from tests.whole_path.acts import Hear
from tests.whole_path.conftest import System

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_breaking_in_just_inside_the_second_item(system: System) -> None:
    """Of two items of 2 s and 4 s in a response the first stays whole and the second is cut to what was heard."""
    system.script(Say("Hello.", ms=400), [Say("one", ms=2000), Say("two", ms=4000)])
    report = await system.call(Listen(), Speak(say(440)), Hear(2100), Speak(say(520)), Listen(), HangUp())
    _hello, one, two = [
        event.event["item"]["id"]
        for event in system.session.sent
        if event.event["type"] == "response.output_item.added"
    ][:3]
    truncations = [event.event for event in system.session.received if event.event["type"].endswith("truncate")]
    assert [event["item_id"] for event in truncations] == [two]
    assert one not in {event["item_id"] for event in truncations}
    told = truncations[0]["audio_end_ms"]
    stream = report.streams[0]
    heard = sum(media.heard_ms for media in stream.media if media.at_ms < stream.clears[0].at_ms) - 400 - 2000
    # The estimate may lag by a mark's round trip and the delays of a busy machine; it is never ahead of the phone.
    assert 0 < told <= heard
    assert heard - told < 500
