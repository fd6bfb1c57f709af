"""How much audio the caller has heard."""

from worker.conversation.playback import Cut, Playback


def test_heard_by_marks() -> None:
    """Only an echoed mark proves that what was sent before it was played."""
    playback = Playback()
    begin = playback.start()
    first, second = playback.sent("a", 8_000), playback.sent("a", 8_000)
    assert begin is not None
    playback.echoed(begin, 0)
    playback.echoed(first, 1000)
    assert not playback.drained
    playback.echoed(second, 2000)
    assert playback.drained
    assert playback.interrupt(2500) == []


def test_heard_between_marks() -> None:
    """After an echo the next chunk plays in real time, but never beyond its own end."""
    for elapsed, heard in [(0, 0), (300, 300), (999, 999), (5000, 1000)]:
        playback = Playback()
        begin = playback.start()
        playback.sent("a", 8_000)
        playback.sent("a", 8_000)
        assert begin is not None
        playback.echoed(begin, 100)
        assert playback.interrupt(100 + elapsed) == [Cut("a", heard, 2000)]


def test_nothing_proven() -> None:
    """Before the first echo nothing counts as heard, however much time has passed."""
    playback = Playback()
    playback.start()
    playback.sent("a", 8_000)
    assert playback.interrupt(60_000) == [Cut("a", 0, 1000)]


def test_start_only_when_nothing_plays() -> None:
    """The mark before a chunk is needed only when the queue is empty."""
    playback = Playback()
    assert playback.start()
    playback.sent("a", 8)
    assert playback.start() is None


def test_several_items() -> None:
    """The playing item is cut at its position, later items at their start, and the heard item not at all."""
    playback = Playback()
    begin = playback.start()
    first = playback.sent("a", 16_000)
    playback.sent("b", 32_000)
    playback.sent("c", 8_000)
    assert begin is not None
    playback.echoed(begin, 0)
    playback.echoed(first, 2000)
    assert playback.interrupt(2250) == [Cut("b", 250, 4000), Cut("c", 0, 1000)]


def test_clear_echoes() -> None:
    """Marks of an earlier generation, which `clear` echoes, are ignored."""
    playback = Playback()
    playback.start()
    old = playback.sent("a", 8_000)
    playback.interrupt(0)
    playback.start()
    playback.sent("b", 8_000)
    playback.echoed(old, 500)
    assert playback.interrupt(900) == [Cut("b", 0, 1000)]


def test_item_goes_on_after_a_pause() -> None:
    """An item whose first part was heard before its second arrived is cut at the sum of both."""
    playback = Playback()
    for mark in (playback.start(), playback.sent("a", 8_000)):
        assert mark is not None
        playback.echoed(mark, 1000)
    begin = playback.start()
    playback.sent("a", 8_000)
    assert begin is not None
    playback.echoed(begin, 4000)
    assert playback.interrupt(4100) == [Cut("a", 1100, 2000)]


def test_late_audio() -> None:
    """If more of an item comes after its interruption, it is cut once, where the caller had heard it."""
    playback = Playback()
    for mark in (playback.start(), playback.sent("a", 8_000)):
        assert mark is not None
        playback.echoed(mark, 1000)
    assert playback.interrupt(1500) == []
    assert playback.late("a") == Cut("a", 1000, 1000)
    assert playback.late("a") is None
    assert playback.late("b") == Cut("b", 0, 0)
