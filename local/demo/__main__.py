"""`make demo`: a caller phones the agent on this machine, interrupts it once, and is handed over to a person.

Exits 0 if every check passed; otherwise prints what failed and exits 1.
"""

import asyncio
import sys
import time
from pathlib import Path
from typing import Final

import boto3
from rich.console import Console

from local.audio.recogniser import Sphinx
from local.audio.speech import silence, speak, write_stereo_wav
from local.demo.browser import NothingToTapError
from local.demo.checks import Check, Evidence, TakeOver, check
from local.demo.story import MARIA, ROSTER, Caller, Maria
from local.demo.timings import timings
from local.model import FrontDesk, SimulatedModel
from local.screen import Screen
from local.stack.process import NotReadyError, end_on_sigterm
from local.stack.simulation import ON_CALL, Simulation, simulation
from local.twilio import CallerGaveUpError, PicksUp
from shared.escalations.record import EscalationRecord
from shared.escalations.request import escalation_id_for
from shared.escalations.store import EscalationStore
from shared.on_call.store import RosterStore

OUT: Final = Path("out")
CALLER_NUMBER: Final = "+15557654321"
CALL_LIMIT_S: Final = 120.0
ALERTS_WITHIN_S: Final = 30.0
RESOLVED_WITHIN_S: Final = 30.0
POLL_S: Final = 0.2
INTERRUPTED: Final = 130


async def demo(console: Console, out: Path) -> bool:
    """Starts everything, makes the call and shows it; True if every check passed."""
    end_on_sigterm()
    screen = Screen(console)
    caller = Caller(screen.line)
    recogniser = Sphinx()
    console.print("Starting AWS, the functions, the worker, a simulated model and a simulated Twilio ...")
    await recogniser.recognise(silence(200))  # loads its models now, not during the call
    model = SimulatedModel(brain=FrontDesk(), recogniser=recogniser)
    async with simulation(model, out / "logs", speak=lambda text, _language: speak(text)) as parts:
        console.print(f"A simulated caller phones, and speaks real audio. Logs are in {out / 'logs'}.\n")
        async with screen.following(model, parts.twilio):
            evidence = await _live_through(parts, caller, screen)
    report = evidence.report
    write_stereo_wav(out / "demo.wav", report.spoken, report.heard)
    return _summarise(console, evidence, out / "demo.wav")


async def _live_through(parts: Simulation, caller: Caller, screen: Screen) -> Evidence:
    twilio, table = parts.twilio, parts.stack.deployment.table_name
    dynamodb = boto3.client("dynamodb", **parts.stack.emulator.connection)
    await asyncio.to_thread(RosterStore(table, dynamodb, "demo").write, ROSTER)
    maria = Maria(twilio, screen.line)
    twilio.phones[MARIA] = PicksUp(maria)
    call = twilio.call(
        caller, webhook=parts.stack.webhook, from_=CALLER_NUMBER, limit_s=CALL_LIMIT_S, watch=screen.step
    )
    report, tapped_at = await asyncio.gather(call, maria.take_the_call())
    alerts = await twilio.wait_for_messages(len(ON_CALL), ALERTS_WITHIN_S)
    [leg] = await twilio.calls_to(MARIA, 1)
    taken = TakeOver(await _resolved(EscalationStore(table, dynamodb), report.call_sid), leg, tapped_at)
    return Evidence(report, parts.model.sessions[0], alerts, caller, frozenset(ON_CALL), taken)


async def _resolved(escalations: EscalationStore, call_sid: str) -> EscalationRecord:
    """The call's escalation record once it is closed, or as it is after half a minute."""
    deadline = time.monotonic() + RESOLVED_WITHIN_S
    while True:
        record = await asyncio.to_thread(escalations.get, escalation_id_for(call_sid))
        late = time.monotonic() > deadline
        if record is not None and (late or not record.open):
            return record
        if late:
            raise TimeoutError("the escalation was never stored")
        await asyncio.sleep(POLL_S)


def _summarise(console: Console, evidence: Evidence, recording: Path) -> bool:
    console.print()
    for what, value in timings(evidence):
        console.print(f"{what:<56}{value:>20}")
    console.print(f"\nRecording, caller on the left channel: {recording}\n")
    checks = check(evidence)
    for each in checks:
        console.print(_line(each))
    went_well = not any(each.problem for each in checks)
    console.print("\nEvery check passed." if went_well else "\nThe demo FAILED: see the checks above.")
    return went_well


def _line(each: Check) -> str:
    return f"[red]no [/]  {each.what}: {each.problem}" if each.problem else f"[green]yes[/]  {each.what}"


def main() -> int:
    """Runs the command; returns the exit status."""
    console = Console(soft_wrap=True, highlight=False)
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else OUT
    out.mkdir(parents=True, exist_ok=True)
    try:
        return 0 if asyncio.run(demo(console, out)) else 1
    except (NotReadyError, CallerGaveUpError, NothingToTapError, TimeoutError) as failure:
        console.print(f"[red]The demo FAILED:[/] {failure or 'no alert came in time'}")
        return 1
    except (KeyboardInterrupt, asyncio.CancelledError):
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
