"""`make chaos`: breaks every part of the running stack once while callers are talking, and shows what became of them.

Exits 0 if no single fault dropped a caller, and no escalation was lost or alerted twice; 1 if not.
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

from local.chaos.outcome import Outcome
from local.chaos.play import play_together, rounds
from local.chaos.world import world
from local.process import NotReadyError

_LOGS: Final = Path("out/chaos")
_CAPTION: Final = (
    "Silent: seconds that a caller heard nothing before the agent was back. Answer: seconds until one was answered who "
    "spoke just then; half a second of it is how long the model waits for more. Each median, worst. A call goes well "
    "if it comes to its proper end or, after a fatal fault, to an apology and a promise that is kept."
)
_WIDTH: Final = 140  # where the output is no terminal
_COLUMNS: Final = ("calls", "well", "silent", "answer", "turns kept", "promised", "alerted", "lost", "doubled")


async def chaos(console: Console, calls: int) -> bool:
    """Plays every scenario with so many calls; whether all went well."""
    outcomes: list[Outcome] = []
    console.print(
        f"Starting AWS, the functions, two workers, a simulated model and a simulated Twilio; logs in {_LOGS}."
    )
    async with world(_LOGS) as made:
        for scenarios in rounds(calls):
            console.print(f"{', '.join(scenario.name for scenario in scenarios)} ...", style="dim")
            outcomes += await play_together(made, scenarios, calls)
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
    for each in outcomes:
        fatal = " (fatal)" if each.scenario.fatal else ""
        counts = (each.promised, each.alerted, each.lost, each.doubled)
        table.add_row(
            each.scenario.name + fatal,
            str(each.calls),
            str(each.well),
            _seconds(each.silences),
            _seconds(each.answers),
            f"{each.remembered}/{each.said}" if each.said else "-",
            *map(str, counts),
            style="red" if each.problems else "",
        )
    return table


def _seconds(values: Sequence[float]) -> str:
    return f"{median(values):.2f} {max(values):.2f}" if values else "-"


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="python -m local.chaos", description=__doc__)
    parser.add_argument("--calls", type=int, default=10, help="for each fault (default: 10)")
    console = Console(highlight=False, width=None if sys.stdout.isatty() else _WIDTH)
    try:
        return 0 if asyncio.run(chaos(console, parser.parse_args().calls)) else 1
    except NotReadyError as failure:
        console.print(f"[red]It did not start:[/] {failure}")
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
