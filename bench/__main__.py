"""Measures the worker as it is deployed, under load: `python -m bench --help`."""

import argparse
import asyncio
import os
import resource
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console

from bench import report
from bench.bridges import BRIDGES, MOST_CALLS, Place
from bench.calls import RunFailedError
from bench.metronome import new_event_loop
from bench.result import Result
from bench.rig import Plan, Rig
from local.process import REPOSITORY, NotReadyError, free_port

LONGEST_S = 600
NAMES_WIDTH, RUN_WIDTH = 46, 16  # of the table
REAL_TIME = 1  # the lowest of the real-time priorities is above all usual ones


def main(arguments: Sequence[str] | None = None) -> int:
    """Exits 0 when every run was made and lost nothing."""
    options = _options(arguments)
    console = Console()
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    place = _take_places(options)
    results: list[Result] = []
    try:
        for name in options.bridges:
            results += _runs(name, place, options, console)
    except (RunFailedError, NotReadyError) as failure:
        console.print(f"the run could not be made: {failure}", style="red")
        return 1
    setting = report.Setting.here(real_time=options.real_time)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(report.as_json(setting, results))
    console.width = max(console.width, NAMES_WIDTH + RUN_WIDTH * len(results))
    console.print(report.as_table(results))
    console.print(f"{setting}\n{options.out}", highlight=False, soft_wrap=True)
    faults = [f"{result.bridge}, {result.calls} calls: {fault}" for result in results for fault in result.counts.faults]
    for fault in faults:
        console.print(fault, style="red")
    return 1 if faults else 0


def _take_places(options: argparse.Namespace) -> Place:
    """The bridge gets the last core to itself, the rig and the emulator share the others (or, with one core, that)."""
    *others, core = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, others or {core})
    if options.real_time:  # but not the emulator, which is started from here
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(REAL_TIME))
    priority = REAL_TIME if options.real_time else 0
    return Place(core, priority, free_port(), free_port(), options.out.parent / "bench")


def _runs(name: str, place: Place, options: argparse.Namespace, console: Console) -> list[Result]:
    results = []
    with BRIDGES[name](place) as start:
        for calls in options.calls:
            console.print(f"{name}: {calls} calls, {options.seconds:g} s", style="dim", highlight=False)
            plan = Plan(calls, options.seconds, options.warm_up, options.sockets)
            with start() as bridge, asyncio.Runner(loop_factory=new_event_loop) as runner:
                results.append(runner.run(Rig(name, bridge, plan).run(place)))
    return results


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measures the worker under load, on loopback.")
    parser.add_argument("--calls", nargs="+", type=_up_to(MOST_CALLS), default=[100], help="calls at once, a run each")
    parser.add_argument("--seconds", type=_up_to(LONGEST_S), default=20, help="measured part of a run")
    parser.add_argument("--warm-up", type=_up_to(LONGEST_S), default=5, help="seconds before it, with all calls up")
    parser.add_argument("--sockets", type=_up_to(MOST_CALLS), default=200, help="sockets opened for themselves")
    parser.add_argument("--bridges", nargs="+", choices=BRIDGES, default=list(BRIDGES), help="what to measure")
    parser.add_argument("--real-time", action="store_true", help="before everybody else on a shared machine, as root")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "out" / "bench.json", help="where the JSON goes")
    return parser.parse_args(arguments)


def _up_to(most: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        value = int(text)
        if not 1 <= value <= most:
            raise argparse.ArgumentTypeError(f"{value} is not between 1 and {most}")
        return value

    return number


if __name__ == "__main__":
    sys.exit(main())
