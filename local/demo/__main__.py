"""`make demo`: a caller phones the agent on this machine, breaks in on it once, and is taken over by a person.

Exits 0 if the call went as told, and 1 with what did not happen if not.
"""

import asyncio
import sys
from pathlib import Path
from typing import Final

from rich.console import Console

from local.demo.browser import NothingToTapError
from local.demo.checks import Check, Evidence, check
from local.demo.escalations import Escalations
from local.demo.on_call import MARIA, ROSTER, Maria
from local.demo.story import Guest
from local.demo.take_over import TakeOver
from local.demo.timings import timings
from local.model import FrontDesk, SimulatedModel
from local.process import NotReadyError, end_on_sigterm
from local.recogniser import Sphinx
from local.screen import Screen
from local.simulation import ON_CALL, Simulation, simulation
from local.speech import silence, speak, write_stereo_wav
from local.twilio import CallerGaveUpError, PicksUp

OUT: Final = Path("out")
CALLER: Final = "+15557654321"
CALL_LIMIT_S: Final = 120.0
ALERTS_WITHIN_S: Final = 30.0
INTERRUPTED: Final = 130


async def demo(console: Console, out: Path) -> bool:
    """Starts everything, lives through the call and shows it; whether it went as told."""
    end_on_sigterm()
    screen = Screen(console)
    guest = Guest(screen.line)
    recogniser = Sphinx()
    console.print("Starting AWS, the functions, the worker, a simulated model and a simulated Twilio ...")
    await recogniser.recognise(silence(200))  # loads its models, which would be a pause in the call
    model = SimulatedModel(brain=FrontDesk(), recogniser=recogniser)
    async with simulation(model, out / "logs", speak=lambda text, _language: speak(text)) as world:
        console.print(f"A caller phones. Their words are sound, and nothing else. Logs are in {out / 'logs'}.\n")
        async with screen.following(model, world.twilio):
            evidence = await _live_through(world, guest, screen)
    report = evidence.report
    write_stereo_wav(out / "demo.wav", report.spoken, report.heard)
    return _summarise(console, evidence, out / "demo.wav")


async def _live_through(world: Simulation, guest: Guest, screen: Screen) -> Evidence:
    twilio, people = world.twilio, Escalations(world.stack)
    await asyncio.to_thread(people.put_on_call, ROSTER)
    maria = Maria(twilio, screen.line)
    twilio.phones[MARIA] = PicksUp(maria)
    call = twilio.call(guest, webhook=world.stack.webhook, from_=CALLER, limit_s=CALL_LIMIT_S, watch=screen.step)
    report, tapped_at = await asyncio.gather(call, maria.take_the_call())
    alerts = await twilio.wait_for_messages(len(ON_CALL), ALERTS_WITHIN_S)
    [leg] = await twilio.calls_to(MARIA, 1)
    taken = TakeOver(await people.resolved(report.call_sid), leg, tapped_at)
    return Evidence(report, world.model.sessions[0], alerts, guest, frozenset(ON_CALL), taken)


def _summarise(console: Console, evidence: Evidence, recording: Path) -> bool:
    console.print()
    for what, value in timings(evidence):
        console.print(f"{what:<56}{value:>20}")
    console.print(f"\nBoth sides, the caller on the left: {recording}\n")
    checks = check(evidence)
    for each in checks:
        console.print(_line(each))
    went_well = not any(each.problem for each in checks)
    console.print("\nThe call went as told." if went_well else "\nThe call did NOT go as told.")
    return went_well


def _line(each: Check) -> str:
    return f"[red]no [/]  {each.what}: {each.problem}" if each.problem else f"[green]yes[/]  {each.what}"


def main() -> int:
    """The exit status."""
    console = Console(soft_wrap=True, highlight=False)
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else OUT
    out.mkdir(parents=True, exist_ok=True)
    try:
        return 0 if asyncio.run(demo(console, out)) else 1
    except (NotReadyError, CallerGaveUpError, NothingToTapError, TimeoutError) as failure:
        console.print(f"[red]The call did NOT go as told:[/] {failure or 'no alert came in time'}")
        return 1
    except (KeyboardInterrupt, asyncio.CancelledError):
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
