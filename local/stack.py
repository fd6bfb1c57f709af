"""The whole of Bellhop on this machine: the template's stack in the emulator, the worker, and one port before both.

What Bellhop talks to, OpenAI and Twilio, lies outside; the stack is only told where each is, simulated or real.
"""

import asyncio
import secrets
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from local.deployment import Deployment, deploy
from local.emulator import Emulator
from local.front_door import FrontDoor
from local.process import Process, free_port
from local.template import Environment

FUNCTIONS = ("VoiceFunction", "AlertsFunction")


@dataclass(frozen=True)
class Outside:
    """The two services that Bellhop talks to. Without a URL it is the real one."""

    openai_api_key: str
    twilio_account_sid: str
    twilio_auth_token: str
    openai_base_url: str | None = None
    twilio_api_url: str | None = None


@dataclass(frozen=True)
class Choices:
    """What one may choose about a stack: the template's parameters, and the worker's environment beside the contract's.

    `public_url` is the https address of a tunnel to `port`, where one has such a thing; else all stays on this machine.
    """

    parameters: Mapping[str, str] = field(default_factory=dict)
    worker_environ: Mapping[str, str] = field(default_factory=dict)
    public_url: str | None = None
    port: int = 0


class Stack:
    """Deployed and running inside of its context; each part's log is in the folder `logs` afterwards."""

    emulator: Emulator
    deployment: Deployment
    worker: Process
    public_url: str
    stream_url: str

    def __init__(self, outside: Outside, logs: Path, choices: Choices | None = None) -> None:
        self._outside = outside
        self._logs = logs
        self._choices = choices or Choices()
        self._signing_key = secrets.token_urlsafe(32)
        self._running = AsyncExitStack()

    @property
    def webhook(self) -> str:
        """What a Twilio number's voice webhook must be set to."""
        return f"{self.public_url}/incoming-call"

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as starting:
            front_door = await starting.enter_async_context(FrontDoor(self._choices.port))
            self.public_url = self._choices.public_url or f"http://{front_door.address}"
            # http becomes ws, and https wss.
            self.stream_url = f"ws{self.public_url.removeprefix('http')}/media-stream"
            self.emulator = Emulator(self._logs / "emulator.log", permissions=True)
            await asyncio.to_thread(self.emulator.__enter__)
            starting.push_async_callback(asyncio.to_thread, self.emulator.__exit__, None, None, None)
            self.deployment = await asyncio.to_thread(self._deploy)
            starting.push_async_callback(asyncio.to_thread, self._keep_function_logs)
            self.worker = self._worker()
            front_door.leads_to(
                api_port=self.emulator.port, api_path=self.deployment.api_path, worker_port=self.worker.port
            )
            starting.push_async_callback(asyncio.to_thread, self.worker.stop)
            await asyncio.to_thread(self.worker.start, "/health")
            self._running = starting.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._running.aclose()

    def _deploy(self) -> Deployment:
        outside = self._outside
        urls = {"TWILIO_API_URL": outside.twilio_api_url, "OPENAI_BASE_URL": outside.openai_base_url}
        return deploy(
            self.emulator.connection,
            secrets={
                "TWILIO_ACCOUNT_SID": outside.twilio_account_sid,
                "TWILIO_AUTH_TOKEN": outside.twilio_auth_token,
                "OPENAI_API_KEY": outside.openai_api_key,
                "SIGNING_KEY": self._signing_key,
            },
            parameters=self._choices.parameters,
            environment=Environment(
                replaced={"PUBLIC_URL": self.public_url, "STREAM_URL": self.stream_url},
                added={name: url for name, url in urls.items() if url},
            ),
        )

    def _worker(self) -> Process:
        port = free_port()
        environ = {**self.deployment.worker_environ, "PORT": str(port), **self._choices.worker_environ}
        command = [sys.executable, "-m", "worker"]
        return Process("the worker", command, environ=environ, log=self._logs / "worker.log", port=port)

    def _keep_function_logs(self) -> None:
        for function in FUNCTIONS:
            lines = self.deployment.log_of(function)
            (self._logs / f"{function}.log").write_text("".join(f"{line}\n" for line in lines))
