"""The stack and what is around it, as real as the settings make it."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from local.front_door import FrontDoor
from local.model import FrontDesk, SimulatedModel
from local.recogniser import Sphinx
from local.run.settings import Phone, RunSettings
from local.simulation import ALERTS, API_KEY, PUBLIC_URL, simulated_twilio
from local.speech import speak
from local.stack import Choices, Outside, Stack
from local.twilio import SimulatedTwilio


@dataclass(frozen=True)
class World:
    """The parts, each up and running; `model` and `twilio` are None where the real ones are used."""

    stack: Stack
    model: SimulatedModel | None
    twilio: SimulatedTwilio | None


@asynccontextmanager
async def world(settings: RunSettings, logs: Path) -> AsyncIterator[World]:
    """Starts what is not real, and the stack; stops it all at the end."""
    async with AsyncExitStack() as parts:
        door = await parts.enter_async_context(FrontDoor(settings.port))
        model = twilio = None
        api_key, base_url, phone = settings.openai_api_key, settings.openai_base_url, settings.phone
        if api_key is None:
            model = await parts.enter_async_context(SimulatedModel(brain=FrontDesk(), recogniser=Sphinx()))
            api_key, base_url = API_KEY, model.url
        if phone is None:
            twilio = await parts.enter_async_context(simulated_twilio(door, speak=lambda text, _language: speak(text)))
            account = twilio.exchange
            phone = Phone(PUBLIC_URL, account.account_sid, account.auth_token, twilio.api_url, ALERTS)
        outside = Outside(api_key, phone.account_sid, phone.auth_token, base_url, phone.api_url)
        # On one's own machine one may read what was said; anywhere else DEBUG is nobody's default.
        choices = Choices(phone.parameters, {"LOG_LEVEL": "DEBUG", "AGENTS_DIR": str(settings.agents_dir)})
        stack = await parts.enter_async_context(Stack(door, phone.public_url, outside, logs, choices))
        yield World(stack, model, twilio)
