"""The command-line options of the bench."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from bench.contenders.bridges import BRIDGES, MOST_CALLS
from local.stack.process import REPOSITORY

LONGEST_S: Final = 600
FARTHEST_MS: Final = 2000


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parses the options. The defaults measure everything in docs/benchmarks.md, which takes half an hour."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measures the worker under load, on loopback.")
    add = parser.add_argument
    add("--bridges", nargs="+", choices=BRIDGES, default=list(BRIDGES), help="what to measure")
    add(
        "--calls",
        nargs="*",
        type=_up_to(MOST_CALLS),
        default=[100, 300],
        help="concurrent calls, one run for each number; may be empty",
    )
    add("--seconds", type=_up_to(LONGEST_S), default=10, help="measured part of a run")
    add("--warm-up", type=_up_to(LONGEST_S), default=5, help="seconds with all calls up before the measured part")
    add("--sockets", type=_up_to(MOST_CALLS), default=200, help="sockets to open without calls")
    add("--tls", choices=("off", "on", "both"), default="both", help="TLS to the model")
    add(
        "--find-limit",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="search for the number of calls that one core carries",
    )
    add("--limit-seconds", type=_up_to(LONGEST_S), default=4, help="measured part of each step of that search")
    add("--most", type=_up_to(MOST_CALLS), default=800, help="the most calls that the search tries")
    delay = _up_to(FARTHEST_MS, least=0)
    names = ("ROUND_TRIP_MS", "HANDSHAKE_MS")
    add(
        "--model-delay",
        nargs=2,
        type=delay,
        metavar=names,
        default=[80, 300],
        help="the model's delay for the run of first words; 0 0 skips it",
    )
    add("--real-time", action="store_true", help="run at real-time priority on a shared machine; needs root")
    add(
        "--out",
        type=Path,
        default=REPOSITORY / "out" / "bench.json",
        help="file for the JSON; the plot goes beside it",
    )
    add("--write-docs", action="store_true", help="replace the run in docs/benchmarks.md by this one")
    options = parser.parse_args(arguments)
    given = " ".join(sys.argv[1:] if arguments is None else arguments)
    options.command = f'make bench BENCH="{given}"' if given else "make bench"
    options.tls = {"off": [False], "on": [True], "both": [False, True]}[options.tls]
    return options


def _up_to(most: int, *, least: int = 1) -> Callable[[str], int]:
    def number(text: str) -> int:
        value = int(text)
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{value} is not between {least} and {most}")
        return value

    return number
