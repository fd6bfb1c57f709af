"""Measures the deployed worker under load, and alternatives beside it: `python -m bench --help`."""

import asyncio
import os
import resource
import sys
from argparse import Namespace
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial

from rich.console import Console

from bench import limit
from bench.contenders.bridges import BRIDGES, Place, Starter
from bench.limit import Limit
from bench.options import parsed
from bench.report import report
from bench.report.plot import draw
from bench.report.report import Verdict, keep
from bench.report.result import Result
from bench.report.tables import as_tables
from bench.rig import load
from bench.rig.calls import RunFailedError
from bench.rig.certificate import Certificate
from bench.rig.load import Plan
from bench.rig.loop import RigLoop
from bench.rig.model import Distance
from bench.rig.rig import Conditions, Rig
from local.stack.process import NotReadyError, free_port

NAMES_WIDTH, RUN_WIDTH = 46, 20  # of the table
REAL_TIME = 1  # the lowest real-time priority, above all normal ones
Found = Result | Limit
Measure = Callable[[Rig], Awaitable[Found]]
FIRST_WORDS = Plan(calls=20, seconds=1, warm_up_s=0, sockets=0, calls_a_second=4)


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 0 if every run succeeded, and the worker and the floor lost nothing."""
    options = parsed(arguments)
    console = Console()
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    place = _assign_cores(options)
    results: list[Result] = []
    limits: list[Limit] = []
    verdict = Verdict()
    for name in options.bridges:
        if not BRIDGES[name].is_installed:
            home = BRIDGES[name].python.parents[1].name
            console.print(f"{name} is skipped: {home} is not installed", style="yellow")
            continue
        try:
            with BRIDGES[name].starter(place) as start:
                for what, conditions, measure in _measurements(name, options):
                    console.print(f"{name}: {what}", style="dim", highlight=False)
                    try:
                        found = _measured(start, place, conditions, measure)
                    except (RunFailedError, NotReadyError) as failure:
                        verdict.unmade.append(f"{name}, {what}: {failure}")
                        continue
                    if isinstance(found, Limit):
                        limits.append(found)
                    else:
                        results.append(found)
        except NotReadyError as failure:  # the emulator, which provides the worker's settings
            verdict.unmade.append(f"{name}: {failure}")
    _write_results(options, console, results, limits)
    verdict.add(results, limits)
    for line in verdict.lines:
        console.print(line, style="red", highlight=False)
    return verdict.exit_code


def _assign_cores(options: Namespace) -> Place:
    """Gives the bridge the last core; the rig and the emulator share the others (or the same, if there is only one)."""
    *others, core = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, others or {core})
    if options.real_time:  # but not for the emulator, a child process
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(REAL_TIME))
    priority = REAL_TIME if options.real_time else 0
    folder = options.out.parent / "bench"
    return Place(core, priority, free_port(), free_port(), folder, Certificate.make(folder))


def _measurements(name: str, options: Namespace) -> Iterator[tuple[str, Conditions, Measure]]:
    """All measurements of one bridge; each restarts it."""
    kind = BRIDGES[name]
    for tls in options.tls:
        near = Conditions(tls=tls, clicks=kind.clicks)
        by_tls = ", TLS" if tls else ""
        for calls in dict.fromkeys(min(asked, kind.most_calls) for asked in options.calls):
            plan = Plan(calls, options.seconds, options.warm_up, options.sockets)
            yield f"{calls} calls{by_tls}", near, partial(load.run, name, plan)
        if options.find_limit:
            yield f"calls on one core{by_tls}", near, partial(limit.find, name, options.most, options.limit_seconds)
    if any(options.model_delay):
        round_trip, handshake = (ms / 1000 for ms in options.model_delay)
        far = Conditions(options.tls[-1], Distance(round_trip, handshake), kind.clicks)
        yield f"first words from {options.model_delay[0]} ms away", far, partial(load.run, name, FIRST_WORDS)


def _measured(start: Starter, place: Place, conditions: Conditions, measure: Measure) -> Found:
    async def drive() -> Found:
        async with Rig.driving(start, place, conditions) as rig:
            return await measure(rig)

    with asyncio.Runner(loop_factory=RigLoop) as runner:
        return runner.run(drive())


def _write_results(options: Namespace, console: Console, results: Sequence[Result], limits: Sequence[Limit]) -> None:
    """Writes the results to the terminal, as JSON and as a plot, and with --write-docs into the docs."""
    setting = report.Setting.here(options.command)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(report.as_json(setting, results, limits))
    picture = options.out.with_suffix(".svg")
    if limits:
        draw(limits, picture)
    tables = list(as_tables(results, limits))
    console.width = max(console.width, NAMES_WIDTH + RUN_WIDTH * len(options.bridges) * max(1, len(options.calls)))
    for title, table in tables:
        console.print(f"\n{title}", style="bold", highlight=False)
        console.print(table)
    console.print(f"{setting}\n{options.out}", highlight=False, soft_wrap=True)
    if options.write_docs:
        keep(tables, setting, picture)


if __name__ == "__main__":
    sys.exit(main())
