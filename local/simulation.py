"""Bellhop with nothing real around it: a stack whose model and whose Twilio are simulated."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from local.front_door import FrontDoor
from local.model import SimulatedModel
from local.process import REPOSITORY
from local.stack import Choices, Outside, Stack
from local.twilio import SimulatedTwilio
from local.twilio.exchange import Speak, speak_silently
from local.twilio.webhook import TIME_LIMIT_S

HOST = "bellhop.example"  # what Twilio is told; a tunnel of the simulated Twilio leads from there to the front door
PUBLIC_URL = f"https://{HOST}"
NUMBER = "+15550100200"
ON_CALL = ("+15550100301", "+15550100302")
ALERTS = {"OnCallNumbers": ",".join(ON_CALL), "AlertFrom": NUMBER}  # parameters of the template
API_KEY = "sk-simulated"
HOTEL = REPOSITORY / "local" / "demo" / "agents"  # the demo's agents, so that nothing depends on the user's own
_WORKER = {
    "AGENTS_DIR": str(HOTEL),
    # Whoever looks at a call looks at its session: by its place among the others, or by its caller's identifier.
    "READY_SESSIONS": "0",
    # Everything runs on one machine, and a browser that starts beside it holds every loop up.
    "MAX_LAG_MS": "5000",
}
# Another voice than the agent's. espeak-ng breathes at random, so that no two renderings are the same; this one of its
# voices was understood in each of 200, where others had their restaurant taken for a bar.
CALLER_VOICE = "en-us+f2"


@dataclass(frozen=True)
class Simulation:
    """The parts, each up and running."""

    model: SimulatedModel
    twilio: SimulatedTwilio
    stack: Stack


def simulated_twilio(
    door: FrontDoor, *, speak: Speak = speak_silently, webhook_limit_s: float = TIME_LIMIT_S
) -> SimulatedTwilio:
    """A Twilio account of its own, for which `PUBLIC_URL` leads to this front door.

    `speak` is the voice of TwiML's <Say>, and `webhook_limit_s` how long Twilio waits for an answer.
    """
    return SimulatedTwilio(
        f"AC{secrets.token_hex(16)}",
        secrets.token_hex(16),
        numbers=[NUMBER],
        tunnels={PUBLIC_URL: f"http://{door.address}", f"wss://{HOST}": f"ws://{door.address}"},
        speak=speak,
        webhook_limit_s=webhook_limit_s,
    )


@asynccontextmanager
async def simulation(
    model: SimulatedModel,
    logs: Path,
    *,
    choices: Choices | None = None,
    speak: Speak = speak_silently,
    webhook_limit_s: float = TIME_LIMIT_S,
) -> AsyncIterator[Simulation]:
    """Starts `model` and everything else, and stops it all at the end. `ON_CALL` get the alerts."""
    choices = choices or Choices()
    choices = replace(
        choices,
        parameters={**ALERTS, **choices.parameters},
        worker_environ={**_WORKER, **choices.worker_environ},
    )
    async with (
        model,
        FrontDoor() as door,
        simulated_twilio(door, speak=speak, webhook_limit_s=webhook_limit_s) as twilio,
    ):
        exchange = twilio.exchange
        outside = Outside(API_KEY, exchange.account_sid, exchange.auth_token, model.url, twilio.api_url)
        async with Stack(door, PUBLIC_URL, outside, logs, choices) as stack:
            yield Simulation(model, twilio, stack)
