"""What should not have been in a run, and whether that makes it a failure."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.limit import Limit
from bench.result import Result

_OURS = ("worker", "floor")  # what others lose is a finding


@dataclass
class Verdict:
    """`unmade` are the runs that were not made or were broken off, of whatever bridge."""

    unmade: list[str] = field(default_factory=list)
    ours: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)

    def add(self, results: Sequence[Result], limits: Sequence[Limit]) -> None:
        """Takes note of the faults of runs that were made."""
        self.unmade += [f"{limit.bridge}, how many calls: {fault}" for limit in limits for fault in limit.faults]
        for result in results:
            faults = self.ours if result.bridge in _OURS else self.others
            faults += [f"{result.bridge}, {result.calls} calls: {fault}" for fault in result.counts.faults]

    @property
    def lines(self) -> list[str]:
        return [*self.unmade, *self.ours, *self.others]

    @property
    def exit_code(self) -> int:
        return 1 if self.unmade or self.ours else 0
