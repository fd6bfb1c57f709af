"""A Bellhop stack with a model and a Twilio around it, each simulated or real."""

import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from local.model import SimulatedModel
from local.stack.front_door import FrontDoor
from local.stack.process import REPOSITORY
from local.stack.stack import Choices, Outside, Stack
from local.twilio import SimulatedTwilio
from local.twilio.exchange import Speak, speak_silently
from local.twilio.webhook import TIME_LIMIT_S

HOST = "bellhop.example"  # the public host; a tunnel of the simulated Twilio leads from there to the front door
PUBLIC_URL = f"https://{HOST}"
NUMBER = "+15550100200"
ON_CALL = ("+15550100301", "+15550100302")
ALERTS = {"OnCallNumbers": ",".join(ON_CALL), "AlertFrom": NUMBER}  # parameters of the template
API_KEY = "sk-simulated"
HOTEL = REPOSITORY / "local" / "demo" / "agents"  # the demo's agents, so that nothing depends on the user's own
_WORKER = {
    "AGENTS_DIR": str(HOTEL),
    # Tests find a call's session by its number in the list, or by its caller's identifier.
    "SESSION_POOL_SIZE": "0",
    # Everything runs on one machine, and a browser that starts beside it delays every event loop.
    "MAX_LAG_MS": "5000",
}
# Another voice than the agent's. espeak-ng adds random breath noise, so no two renderings are the same. This voice was
# understood in 200 of 200 renderings; with others, "restaurant" was sometimes recognised as "bar".
CALLER_VOICE = "en-us+f2"


@dataclass(frozen=True)
class OpenAi:
    """A real model: at `base_url` if given, else OpenAI's."""

    api_key: str = field(repr=False)
    base_url: str | None = None


@dataclass(frozen=True)
class Phone:
    """A real Twilio account, this machine's public URL, and the template's parameters for alerts."""

    public_url: str
    account_sid: str
    auth_token: str = field(repr=False)
    api_url: str | None
    parameters: Mapping[str, str]


@dataclass(frozen=True)
class LocalSystem:
    """A running stack with its model and its Twilio; `model` and `twilio` are None where these are real."""

    stack: Stack
    model: SimulatedModel | None
    twilio: SimulatedTwilio | None


@dataclass(frozen=True)
class Simulation:
    """A local system in which model and Twilio are both simulated."""

    model: SimulatedModel
    twilio: SimulatedTwilio
    stack: Stack


@asynccontextmanager
async def local_system(
    logs: Path,
    *,
    model: SimulatedModel | OpenAi,
    phone: Phone | None = None,
    port: int = 0,
    choices: Choices | None = None,
    speak: Speak = speak_silently,
    webhook_limit_s: float = TIME_LIMIT_S,
) -> AsyncIterator[LocalSystem]:
    """Starts the stack and the simulated services; stops them all at the end.

    Without a `phone` Twilio is simulated: it reaches the front door on `port` through `PUBLIC_URL`, and alerts go to
    `ON_CALL`. `speak` is its voice for TwiML's <Say>; `webhook_limit_s` is how long it waits for a webhook's answer.
    """
    async with AsyncExitStack() as parts:
        door = await parts.enter_async_context(FrontDoor(port))
        simulated_model = twilio = None
        if isinstance(model, SimulatedModel):
            simulated_model = await parts.enter_async_context(model)
            model = OpenAi(API_KEY, model.url)
        if phone is None:
            twilio = await parts.enter_async_context(_simulated_twilio(door, speak, webhook_limit_s))
            account = twilio.exchange
            phone = Phone(PUBLIC_URL, account.account_sid, account.auth_token, twilio.api_url, ALERTS)
        choices = choices or Choices()
        choices = replace(choices, parameters={**phone.parameters, **choices.parameters})
        outside = Outside(model.api_key, phone.account_sid, phone.auth_token, model.base_url, phone.api_url)
        stack = await parts.enter_async_context(Stack(door, phone.public_url, outside, logs, choices))
        yield LocalSystem(stack, simulated_model, twilio)


def _simulated_twilio(door: FrontDoor, speak: Speak, webhook_limit_s: float) -> SimulatedTwilio:
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
    """Starts a local system whose model and Twilio are simulated, to observe its calls."""
    choices = choices or Choices()
    choices = replace(choices, worker_environ={**_WORKER, **choices.worker_environ})
    async with local_system(logs, model=model, choices=choices, speak=speak, webhook_limit_s=webhook_limit_s) as system:
        assert system.twilio is not None, "no phone was given"  # noqa: S101 - for mypy
        yield Simulation(model, system.twilio, system.stack)
