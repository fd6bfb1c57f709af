"""The caller's phone, and a script's interface to it."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from local.audio.speech import milliseconds
from local.twilio.ears import Playback
from local.twilio.person import CallerGaveUpError, Line
from local.twilio.phone import CallEndedError, Clock, Phone


@pytest.fixture
async def phone() -> AsyncIterator[Phone]:
    """A running phone in real time."""
    phone = Phone(Clock())
    running = asyncio.create_task(phone.run())
    yield phone
    phone.hang_up()
    await running


@pytest.fixture
def line(phone: Phone) -> Line:
    """A script's interface to the phone."""
    return Line(phone, phone.hang_up, lambda _what, _detail: None)


async def test_timeline_does_not_drift(phone: Phone) -> None:
    """After a delay the timeline catches up with the clock."""
    await phone.wait(40)
    time.sleep(0.2)  # noqa: ASYNC251 -- the delay is the test
    held_up_until = phone.now_ms
    await phone.wait(40)
    assert milliseconds(len(phone.heard)) >= held_up_until
    assert len(phone.heard) == len(phone.spoken)


async def test_faster_clock_waits_less() -> None:
    """At a speed of 100, ten seconds take 0.1 s; the test's limit is 5 s."""
    clock = Clock(speed=100)
    await clock.wait_until(10_000)
    assert 10_000 <= clock.now_ms < 500_000


def test_clock_does_not_run_backwards() -> None:
    """A speed of 0 or less is refused."""
    with pytest.raises(ValueError, match="must be more than 0"):
        Clock(speed=0)


async def test_listen_hears_the_agent_out(phone: Phone, line: Line) -> None:
    """It returns the audio heard, from the first sound to the silence; a short gap does not end it."""
    playback = Playback()
    with phone.connected(playback):
        listening = asyncio.create_task(line.listen(quiet_ms=1000))
        await phone.wait(40)
        playback.media(b"\x10" * 400, phone.now_ms)
        await phone.wait(250)
        playback.media(b"\x20" * 400, phone.now_ms)
        heard = await listening
    assert (heard.count(0x10), heard.count(0x20)) == (400, 400)


async def test_keys_that_no_phone_has_are_refused(line: Line) -> None:
    """The error names them, and the allowed keys."""
    with pytest.raises(ValueError, match=r"\['w', 'x'\].*0-9, \*, # and A-D"):
        await line.press("1xw")


async def test_waits_have_a_time_limit(line: Line) -> None:
    """For an agent that never speaks, and for one that is never quiet."""
    with pytest.raises(CallerGaveUpError, match="the agent to speak"):
        await line.wait_until_hearing(limit_ms=60)
    with pytest.raises(CallerGaveUpError, match="quiet for 500 ms"):
        await line.listen_until_quiet(quiet_ms=500, limit_ms=60)


async def test_dead_line_ends_every_wait(phone: Phone, line: Line) -> None:
    """CallEndedError is raised in a script that waits when the call ends, and in one that goes on afterwards."""
    waiting = asyncio.create_task(line.wait(60_000))
    await phone.wait(40)
    await line.hang_up()
    with pytest.raises(CallEndedError):
        await waiting
    with pytest.raises(CallEndedError):
        await line.say(b"\x10" * 160)
