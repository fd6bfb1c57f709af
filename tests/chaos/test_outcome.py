"""The measures of a call, and their sum in a row of the table."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from local.chaos.caller import ChaosCaller
from local.chaos.outcome import _HOLD_TONE_BYTES, Outcome, _silences, summed
from local.chaos.scenarios import SCENARIOS
from local.model.wire import Recorded
from local.twilio import CallReport
from local.twilio.report import MediaReceived, StreamReport

ONE = Outcome(
    scenario=SCENARIOS[0],
    calls=2,
    up=1,
    silences=(0.5,),
    answers=(),
    said=4,
    remembered=3,
    promised=2,
    alerted=1,
    lost=1,
    doubled=0,
    problems=("dropped",),
)


def test_summed() -> None:
    """Counts are added, measures and problems gathered."""
    other = replace(ONE, scenario=SCENARIOS[1], silences=(0.7, 0.9), up=2, doubled=1, problems=())
    assert summed([ONE, other]) == Outcome(
        scenario=SCENARIOS[0],
        calls=4,
        up=3,
        silences=(0.5, 0.7, 0.9),
        answers=(),
        said=8,
        remembered=6,
        promised=4,
        alerted=2,
        lost=2,
        doubled=1,
        problems=("dropped",),
    )


def test_a_hold_tone_ends_no_silence() -> None:
    """A story is interrupted after a second and goes on four seconds later, with a hold tone in between."""
    caller = ChaosCaller(0)
    caller.struck_at_ms, caller.struck_at = 500.0, 100.5
    stream = StreamReport("MZ1", "wss://bellhop.example/media-stream", {}, started_at_ms=0)
    stream.received += [
        MediaReceived(0, 48_000, heard=8_000, first_heard_at_ms=0),
        MediaReceived(2_000, _HOLD_TONE_BYTES, heard=_HOLD_TONE_BYTES, first_heard_at_ms=2_000),
        MediaReceived(5_000, 8_000, heard=8_000, first_heard_at_ms=5_000),
    ]
    caller.report = CallReport("CA1", caller.phone, "+15550100200", streams=[stream])
    session = SimpleNamespace(sent=[Recorded({"type": "response.output_audio.delta"}, 104.9)])
    system: Any = SimpleNamespace(sessions=lambda _guest: [session])
    assert _silences(system, [caller]) == [4.0]
