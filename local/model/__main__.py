"""`python -m local.model`: the simulated model in a process of its own, with the front desk as its brain."""

import argparse
import asyncio
import contextlib

from local.model.control import from_option
from local.model.faults import NAMES, Fault
from local.model.server import SimulatedModel


def _fault(option: str) -> Fault:
    try:
        return from_option(option)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local.model", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8090, help="0 for any free one (default: 8090)")
    parser.add_argument("--pace", type=float, default=4.0, help="how many times faster than real time (default: 4)")
    parser.add_argument(
        "--fault",
        type=_fault,
        action="append",
        default=[],
        metavar="NAME:KEY=VALUE,...",
        help=f"what goes wrong next, once; may be repeated. One of {', '.join(NAMES)}",
    )
    return parser.parse_args()


async def _serve(arguments: argparse.Namespace) -> None:
    async with SimulatedModel(host=arguments.host, port=arguments.port, pace=arguments.pace) as model:
        model.faults.add(*arguments.fault)
        print(f"OPENAI_BASE_URL={model.url}", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(_arguments()))
