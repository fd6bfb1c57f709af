"""`make chaos`: breaks every part of the running stack once during calls, and shows the effect on the calls.

Exits 0 if no fault dropped a call, and no escalation was lost or alerted twice; otherwise 1.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Final

from rich.console import Console
from rich.table import Table

from local.chaos.outcome import Outcome, summed
from local.chaos.play import batches, play
from local.chaos.scenarios import SCENARIOS
from local.chaos.system import system
from local.stack.process import NotReadyError

_LOGS: Final = Path("out/chaos")
_CAPTION: Final = (
    "Survived: calls that ended normally. Silence: seconds without audio until the agent spoke again. Answer: seconds "
    "from the caller's first words after the fault until the answer; the model's end-of-speech detection takes 0.5 s "
    "of it. Both: median, worst. History kept: transcript entries known to the next model session. Escalated: callers "
    "who were told that a person was asked."
)
_WIDTH: Final = 160  # if the output is not a terminal
_COLUMNS: Final = (
    "calls",
    "survived",
    "silence",
    "answer",
    "history kept",
    "escalated",
    "alerted",
    "lost",
    "alerted twice",
)


async def chaos(console: Console, calls: int) -> bool:
    """Plays every scenario with `calls` calls; True if none had a problem."""
    outcomes: list[Outcome] = []
    console.print(
        f"Starting AWS, the functions, two workers, a simulated model and a simulated Twilio; logs in {_LOGS}."
    )
    async with system(_LOGS) as made:
        for scenario, batch in ((scenario, batch) for scenario in SCENARIOS for batch in batches(calls)):
            console.print(f"{scenario.name}: {batch} ...", style="dim")
            outcomes.append(await play(made, scenario, batch))
            made.forget()
    console.print(_table(outcomes))
    for each in outcomes:
        for problem in each.problems:
            console.print(f"[red]{each.scenario.name}:[/] {problem}")
    return not any(each.problems for each in outcomes)


def _table(outcomes: Sequence[Outcome]) -> Table:
    table = Table(caption=_CAPTION)
    table.add_column("fault", no_wrap=True)
    for column in _COLUMNS:
        table.add_column(column, justify="right", no_wrap=True)
    for scenario in SCENARIOS:
        _add_row(table, scenario.name, summed([each for each in outcomes if each.scenario is scenario]))
    table.add_section()
    _add_row(table, "all", summed(outcomes))
    return table


def _add_row(table: Table, name: str, each: Outcome) -> None:
    table.add_row(
        name,
        str(each.calls),
        str(each.up),
        _seconds(each.silences),
        _seconds(each.answers),
        f"{each.remembered}/{each.said}" if each.said else "-",
        *map(str, (each.promised, each.alerted, each.lost, each.doubled)),
        style="red" if each.problems else "",
    )


def _seconds(values: Sequence[float]) -> str:
    return f"{median(values):.2f} {max(values):.2f}" if values else "-"


def main() -> int:
    """Runs the command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m local.chaos", description=__doc__)
    parser.add_argument("--calls", type=int, default=10, help="calls for each fault (default: 10)")
    console = Console(highlight=False, width=None if sys.stdout.isatty() else _WIDTH)
    try:
        return 0 if asyncio.run(chaos(console, parser.parse_args().calls)) else 1
    except NotReadyError as failure:
        console.print(f"[red]The stack did not start:[/] {failure}")
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
