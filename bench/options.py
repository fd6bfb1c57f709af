"""What may be asked of the bench on the command line."""

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
    """Without any, all that docs/benchmarks.md shows, which takes half an hour."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measures the worker under load, on loopback.")
    add = parser.add_argument
    add("--bridges", nargs="+", choices=BRIDGES, default=list(BRIDGES), help="what to measure")
    add("--calls", nargs="*", type=_up_to(MOST_CALLS), default=[100, 300], help="calls at once, a run each; or none")
    add("--seconds", type=_up_to(LONGEST_S), default=10, help="measured part of a run")
    add("--warm-up", type=_up_to(LONGEST_S), default=5, help="seconds before it, with all calls up")
    add("--sockets", type=_up_to(MOST_CALLS), default=200, help="sockets opened for themselves")
    add("--tls", choices=("off", "on", "both"), default="both", help="towards the model")
    add("--find-limit", action=argparse.BooleanOptionalAction, default=True, help="the calls that a core carries")
    add("--limit-seconds", type=_up_to(LONGEST_S), default=4, help="measured part of each step of that search")
    add("--most", type=_up_to(MOST_CALLS), default=800, help="where that search ends")
    delay = _up_to(FARTHEST_MS, least=0)
    names = ("ROUND_TRIP_MS", "HANDSHAKE_MS")
    add("--model-delay", nargs=2, type=delay, metavar=names, default=[80, 300], help="for the first words; 0 0: none")
    add("--real-time", action="store_true", help="before everybody else on a shared machine, as root")
    add(
        "--out",
        type=Path,
        default=REPOSITORY / "out" / "bench.json",
        help="where the JSON goes, and the plot beside it",
    )
    add("--write-docs", action="store_true", help="make this run the one that docs/benchmarks.md shows")
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
