"""Twilio's end of a media stream, against a real socket server."""

import asyncio
from base64 import b64decode
from typing import Any

from local.audio.speech import SILENCE
from local.twilio import EndedBy, Person, SimulatedTwilio
from local.twilio.person import HangUp, Hear, Listen, Press, Say, Wait
from tests.local.twilio.application import ACCOUNT_SID, AUTH_TOKEN, PUBLIC_URL, STREAM_URL, Application
from tests.local.twilio.probe import Conversation, Probe, close_on_start, greet

WEBHOOK = f"{PUBLIC_URL}/incoming-call"
AGENT, CALLER = b"\x10", b"\x20"


async def test_stream_begins_with_a_signed_handshake_and_the_start(
    twilio: SimulatedTwilio, connected: Application, probe: Probe
) -> None:
    """The signature is over the wss URL of the TwiML; `start` has the call and its parameters."""
    probe.react = greet
    report = await twilio.call(Person(Listen(), HangUp()), webhook=WEBHOOK)
    assert probe.signed == [STREAM_URL]
    first, second = probe.conversations[0].messages[:2]
    assert first["event"] == "connected"
    assert (
        second["start"].items()
        >= {
            "callSid": report.call_sid,
            "accountSid": ACCOUNT_SID,
            "streamSid": report.streams[0].stream_sid,
            "customParameters": {"token": "secret"},
        }.items()
    )


async def test_caller_is_streamed_all_the_time(twilio: SimulatedTwilio, connected: Application, probe: Probe) -> None:
    """Silence is sent like speech, in consecutive numbered frames; the recording has the same audio."""
    probe.react = greet
    report = await twilio.call(Person(Listen(), Say(CALLER * 800), Wait(300), HangUp()), webhook=WEBHOOK)
    messages = probe.conversations[0].messages
    media = [message["media"] for message in messages if message["event"] == "media"]
    assert [message["sequenceNumber"] for message in messages[1:]] == [str(n + 1) for n in range(len(messages) - 1)]
    assert [frame["chunk"] for frame in media] == [str(n + 1) for n in range(len(media))]
    assert [frame["timestamp"] for frame in media] == [str(n * 20) for n in range(len(media))]
    sent = b"".join(b64decode(frame["payload"]) for frame in media)
    assert {len(b64decode(frame["payload"])) for frame in media} == {160}
    assert sent.strip(SILENCE) == report.spoken.strip(SILENCE) == CALLER * 800


async def test_agent_is_heard_and_its_mark_comes_back(
    twilio: SimulatedTwilio, connected: Application, probe: Probe
) -> None:
    """A second of audio sent in one message is heard in a second, and the mark follows it."""
    probe.react = greet
    report = await twilio.call(Person(Listen(), HangUp()), webhook=WEBHOOK)
    assert report.heard.strip(SILENCE) == AGENT * 8000
    media, mark = report.streams[0].media[0], report.streams[0].marks[0]
    assert (media.heard_ms, mark.cut) == (1000, False)
    assert media.first_heard_at_ms is not None
    assert mark.echoed_at_ms is not None
    assert mark.echoed_at_ms - media.first_heard_at_ms == 1000
    assert [message["mark"]["name"] for message in probe.conversations[0].of("mark")] == ["greeting"]
    assert report.first_audio_ms == report.streams[0].first_audio_ms


async def test_barge_in_shows_how_much_was_heard(twilio: SimulatedTwilio, connected: Application, probe: Probe) -> None:
    """Of two items of 2 s and 60 s, the first is heard completely, and the second until the clear."""

    async def be_interrupted(conversation: Conversation, message: dict[str, Any]) -> None:
        if message["event"] == "start":
            await conversation.play(AGENT * 16_000, mark="first")
            await conversation.play(AGENT * 480_000, mark="second")
        if message["event"] == "media" and b64decode(message["media"]["payload"])[:1] == CALLER:
            await conversation.clear()

    probe.react = be_interrupted
    report = await twilio.call(Person(Hear(2500), Say(CALLER * 160), Wait(500), HangUp()), webhook=WEBHOOK)
    stream = report.streams[0]
    first, second = stream.media
    assert first.heard_ms == 2000
    assert 500 <= second.heard_ms < 60_000
    assert first.heard + second.heard == report.heard.count(AGENT)
    assert [(mark.name, mark.cut) for mark in stream.marks] == [("first", False), ("second", True)]
    assert stream.clears[0].dropped_ms == 62_000 - first.heard_ms - second.heard_ms
    assert [message["mark"]["name"] for message in probe.conversations[0].of("mark")] == ["first", "second"]


async def test_keys_reach_the_application(twilio: SimulatedTwilio, connected: Application, probe: Probe) -> None:
    """One message for each key, in order."""
    probe.react = greet
    await twilio.call(Person(Listen(), Press("12#"), HangUp()), webhook=WEBHOOK)
    keys = [message["dtmf"] for message in probe.conversations[0].of("dtmf")]
    assert keys == [{"track": "inbound_track", "digit": digit} for digit in "12#"]


async def test_hang_up_sends_stop_closes_and_asks_the_action(
    twilio: SimulatedTwilio, connected: Application, probe: Probe
) -> None:
    """The action gets the status completed; its answer is not performed."""
    probe.react = greet
    report = await twilio.call(Person(Listen(), HangUp()), webhook=WEBHOOK)
    conversation = probe.conversations[0]
    assert conversation.messages[-1]["event"] == "stop"
    assert conversation.messages[-1]["stop"] == {"accountSid": ACCOUNT_SID, "callSid": report.call_sid}
    assert conversation.closed
    assert connected.paths == ["/incoming-call", "/stream-ended"]
    assert connected.asked[1].fields["CallStatus"] == "completed"
    assert (report.ended_by, report.said, report.warnings) == (EndedBy.CALLER, [], [])


async def test_closed_stream_goes_on_with_the_actions_document(
    twilio: SimulatedTwilio, connected: Application, probe: Probe
) -> None:
    """The rest of the document is replaced, and no stop is sent to a socket that is closed."""
    probe.react = close_on_start
    report = await twilio.call(Person(), webhook=WEBHOOK)
    assert report.said == ["Goodbye"]
    assert connected.asked[1].signed
    assert connected.asked[1].fields["CallStatus"] == "in-progress"
    assert report.streams[0].close_code == 1000
    assert probe.conversations[0].of("stop") == []
    assert report.warnings == []


async def test_closed_stream_without_an_action_goes_on_with_the_next_verb(
    twilio: SimulatedTwilio, application: Application, probe: Probe
) -> None:
    """There is no request; the verb after <Connect> is performed."""
    stream = f'<Stream url="{STREAM_URL}"/>'
    application.replies["/incoming-call"] = [f"<Connect>{stream}</Connect><Say>fallback</Say>"]
    probe.react = close_on_start
    report = await twilio.call(Person(), webhook=WEBHOOK)
    assert report.said == ["fallback"]
    assert application.paths == ["/incoming-call"]


async def test_closing_drops_what_was_not_played(twilio: SimulatedTwilio, connected: Application, probe: Probe) -> None:
    """A goodbye that is still queued when the application closes the socket is not heard."""

    async def close_too_early(conversation: Conversation, message: dict[str, Any]) -> None:
        if message["event"] == "start":
            await conversation.play(AGENT * 480_000)
            await conversation.socket.close()

    probe.react = close_too_early
    report = await twilio.call(Person(), webhook=WEBHOOK)
    assert report.streams[0].media[0].heard_ms < 60_000


async def test_fifty_calls_at_once_do_not_mix(connected: Application, probe: Probe) -> None:
    """In real time, each caller hears only its own words."""

    async def echo(conversation: Conversation, message: dict[str, Any]) -> None:
        if message["event"] == "media" and (spoken := b64decode(message["media"]["payload"]).strip(SILENCE)):
            await conversation.play(spoken)

    probe.react = echo
    words = [bytes([number]) * 1600 for number in range(1, 51)]
    callers = [Person(Wait(1000), Say(word), Listen(), HangUp()) for word in words]
    tunnels = {PUBLIC_URL: connected.address, "wss://worker.example": probe.address}
    async with SimulatedTwilio(ACCOUNT_SID, AUTH_TOKEN, tunnels=tunnels) as twilio:
        reports = await asyncio.gather(*(twilio.call(caller, webhook=WEBHOOK) for caller in callers))
    assert [report.heard.replace(SILENCE, b"") for report in reports] == words
    assert len({report.call_sid for report in reports}) == 50
