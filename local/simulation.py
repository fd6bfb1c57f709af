"""Bellhop with nothing real around it: a stack whose model and whose Twilio are simulated."""

import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from local.front_door import FrontDoor
from local.model import SimulatedModel
from local.stack import Choices, Outside, Stack
from local.twilio import SimulatedTwilio
from local.twilio.exchange import Speak, speak_silently
from local.twilio.webhook import TIME_LIMIT_S

HOST = "bellhop.example"  # what Twilio is told; a tunnel of the simulated Twilio leads from there to the front door
NUMBER = "+15550100200"
ON_CALL = ("+15550100301", "+15550100302")


@dataclass(frozen=True)
class Simulation:
    """The parts, each up and running."""

    model: SimulatedModel
    twilio: SimulatedTwilio
    stack: Stack


@asynccontextmanager
async def simulation(
    model: SimulatedModel,
    logs: Path,
    *,
    on_call: Sequence[str] = ON_CALL,
    choices: Choices | None = None,
    speak: Speak = speak_silently,
    webhook_limit_s: float = TIME_LIMIT_S,
) -> AsyncIterator[Simulation]:
    """Starts `model` and everything else, and stops it all at the end. `on_call` get the alerts, from `NUMBER`.

    `speak` is the voice of TwiML's <Say>, and `webhook_limit_s` how long Twilio waits for an answer.
    """
    account_sid, auth_token = f"AC{secrets.token_hex(16)}", secrets.token_hex(16)
    choices = choices or Choices()
    parameters = {"OnCallNumbers": ",".join(on_call), "AlertFrom": NUMBER, **choices.parameters}
    async with model, FrontDoor() as door:
        tunnels = {f"https://{HOST}": f"http://{door.address}", f"wss://{HOST}": f"ws://{door.address}"}
        twilio = SimulatedTwilio(
            account_sid,
            auth_token,
            numbers=[NUMBER],
            tunnels=tunnels,
            speak=speak,
            webhook_limit_s=webhook_limit_s,
        )
        async with twilio:
            outside = Outside("sk-simulated", account_sid, auth_token, model.url, twilio.api_url)
            public_url = f"https://{HOST}"
            async with Stack(door, public_url, outside, logs, replace(choices, parameters=parameters)) as stack:
                yield Simulation(model, twilio, stack)
