"""Frames follow a fixed schedule."""

import asyncio
import time
from typing import TYPE_CHECKING, cast

from bench.rig.gauges import Gauges
from bench.rig.loop import RigLoop
from bench.rig.metronome import Metronome

if TYPE_CHECKING:
    from bench.rig.phone import Phone

ROUNDS = 10


class _CountingPhone:
    """Counts its frames; blocks the loop at one of them, like an overloaded rig."""

    def __init__(self, pause_at: int | None = None) -> None:
        self.talking = True
        self.frames = 0
        self._pause_at = pause_at

    def talk(self) -> None:
        self.frames += 1
        if self.frames == self._pause_at:
            time.sleep(0.1)


async def _beats(phones: list[_CountingPhone], gauges: Gauges) -> None:
    metronome = Metronome(gauges)
    for phone in phones:
        metronome.add(cast("Phone", phone))
    metronome.start()
    while phones[0].frames < ROUNDS:
        await asyncio.sleep(0.01)
    metronome.stop()


def test_every_phone_has_its_turn_in_every_round() -> None:
    """Phones that are not talking are skipped."""
    phones = [_CountingPhone() for _ in range(5)]
    phones[3].talking = False
    with asyncio.Runner(loop_factory=RigLoop) as runner:
        runner.run(_beats(phones, Gauges()))
    assert phones[3].frames == 0
    assert all(ROUNDS - 1 <= phone.frames <= phones[0].frames + 1 for phone in phones[:3])


def test_a_frame_that_was_held_up_is_sent_late_and_not_left_out() -> None:
    """Five rounds pass in the pause; their frames are sent after it, and their lateness is recorded."""
    phones, gauges = [_CountingPhone(pause_at=2), _CountingPhone()], Gauges(recording=True)
    with asyncio.Runner(loop_factory=RigLoop) as runner:
        runner.run(_beats(phones, gauges))
    assert abs(phones[0].frames - phones[1].frames) <= 1
    assert len(gauges.late) == phones[0].frames + phones[1].frames
    assert max(gauges.late) >= 50_000_000
