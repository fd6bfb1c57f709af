"""Detection of dead and flooding streams."""

from worker.twilio.watchdog import StreamWatchdog


def test_quiet() -> None:
    """A stream is dead after eight seconds without a message, and not before."""
    watch = StreamWatchdog(0)
    assert watch.check(2)
    watch.message()
    assert watch.check(4)
    assert watch.check(11)
    assert not watch.check(12)


def test_flood() -> None:
    """Between two checks, Twilio's frames and a backlog are allowed, but not more."""
    watch = StreamWatchdog(0)
    assert all(watch.message() for _ in range(2_000))
    assert not watch.message()
    watch.check(2)
    assert watch.message()


def test_frames_of_every_kind() -> None:
    """Pings and fragments count as frames, but do not show that the stream is alive."""
    watch = StreamWatchdog(0)
    assert watch.other_frames(1_999)
    assert watch.message()
    assert not watch.other_frames(1)
    assert watch.check(2)
    assert watch.other_frames(1_000)
    assert not watch.check(10)
