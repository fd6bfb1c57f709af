"""What is added up to a line of the table."""

from dataclasses import replace

from local.chaos.outcome import Outcome, summed
from local.chaos.scenarios import ALONE

ONE = Outcome(
    scenario=ALONE[0],
    calls=2,
    up=1,
    apologised=1,
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
    other = replace(ONE, scenario=ALONE[1], silences=(0.7, 0.9), up=2, doubled=1, problems=())
    assert summed([ONE, other]) == Outcome(
        scenario=ALONE[0],
        calls=4,
        up=3,
        apologised=2,
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
