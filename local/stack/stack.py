"""All of Bellhop on this machine: the template's stack in the emulator, and workers, behind one front door.

OpenAI and Twilio are not part of it: the stack gets the address of each, simulated or real.
"""

import asyncio
import os
import secrets
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from local.stack import template
from local.stack.deployment import Deployment, deploy
from local.stack.emulator import Emulator
from local.stack.front_door import FrontDoor
from local.stack.process import Process, free_port
from local.stack.template import Environment, worker_container

THE_WORKER = "worker"
FUNCTION_LOGS = {"VoiceFunction": "voice.log", "AlertsFunction": "alerts.log", "DeskFunction": "desk.log"}


@dataclass(frozen=True)
class Outside:
    """The two external services, OpenAI and Twilio. Without a URL, the real one is used."""

    openai_api_key: str = field(repr=False)
    twilio_account_sid: str
    twilio_auth_token: str = field(repr=False)
    openai_base_url: str | None = None
    twilio_api_url: str | None = None


@dataclass(frozen=True)
class Choices:
    """Options of a stack: parameters of the template, and environment variables of workers besides the template's."""

    parameters: Mapping[str, str] = field(default_factory=dict)
    worker_environ: Mapping[str, str] = field(default_factory=dict)


class Workers:
    """Named worker processes, each of which can be started, stopped, killed or replaced.

    `make` creates a worker's process with these extra environment variables; `tell` gets the ports of the workers
    that take streams, whenever the list changes.
    """

    def __init__(self, make: Callable[[Mapping[str, str]], Process], tell: Callable[[Sequence[int]], None]) -> None:
        self._make = make
        self._tell = tell
        self._running: dict[str, Process] = {}

    def __getitem__(self, name: str) -> Process:
        return self._running[name]

    @property
    def names(self) -> list[str]:
        """The running workers, oldest first."""
        return list(self._running)

    async def start(self, name: str, environ: Mapping[str, str] | None = None) -> None:
        """Starts a worker and waits until it takes calls; raises `NotReadyError`."""
        process = self._make(environ or {})
        await asyncio.to_thread(process.start, "/health")
        self._running[name] = process
        self._changed()

    async def stop(self, name: str) -> None:
        """Stops a worker with SIGTERM, and waits until it has ended."""
        process = self._running.pop(name)
        await asyncio.to_thread(process.stop)
        self._changed()

    async def kill(self, name: str) -> None:
        """Ends a worker with SIGKILL, like a lost host; its streams break."""
        await asyncio.to_thread(self._running.pop(name).kill)

    async def replace(self, name: str, by: str) -> None:
        """Starts another worker, then drains this one (SIGTERM) and waits for its end, as a deployment does."""
        await self.start(by)
        await asyncio.to_thread(self._running[name].leave)
        del self._running[name]
        self._changed()

    async def stop_all(self) -> None:
        """Stops all workers."""
        for name in self.names:
            await self.stop(name)

    def _changed(self) -> None:
        self._tell([process.port for process in self._running.values()])


class Stack:
    """Deployed and running inside its context, with one worker; each part's log is in the folder `logs` afterwards.

    `public_url` is the front door's URL for Twilio: https, or http on this machine.
    """

    emulator: Emulator
    deployment: Deployment

    def __init__(
        self, door: FrontDoor, public_url: str, outside: Outside, logs: Path, choices: Choices | None = None
    ) -> None:
        self.public_url = public_url.rstrip("/")
        self.stream_url = f"ws{self.public_url.removeprefix('http')}/media-stream"  # http: ws, https: wss
        self._door = door
        self._outside = outside
        self._logs = logs
        self._choices = choices or Choices()
        self._signing_key = secrets.token_urlsafe(32)
        self._running = AsyncExitStack()
        self.workers = Workers(self._worker, self._lead)

    @property
    def worker(self) -> Process:
        """The worker that every stack starts with."""
        return self.workers[THE_WORKER]

    @property
    def webhook(self) -> str:
        """The URL to set as a Twilio number's voice webhook."""
        return f"{self.public_url}/incoming-call"

    @property
    def signing_key(self) -> str:
        """The key that signs this stack's stream tokens."""
        return self._signing_key

    async def __aenter__(self) -> Self:
        for old in self._logs.glob("*.log"):
            old.unlink()
        async with AsyncExitStack() as starting:
            self.emulator = Emulator(self._logs / "emulator.log", permissions=True)
            # Register each part's clean-up before its start, since a start may be cancelled halfway.
            starting.push_async_callback(asyncio.to_thread, self.emulator.__exit__, None, None, None)
            await asyncio.to_thread(self.emulator.__enter__)
            self.deployment = await asyncio.to_thread(self._deploy)
            starting.push_async_callback(asyncio.to_thread, self._keep_function_logs)
            starting.push_async_callback(self.workers.stop_all)
            await self.workers.start(THE_WORKER)
            self._running = starting.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._running.aclose()

    @asynccontextmanager
    async def other_worker(self, environ: Mapping[str, str]) -> AsyncIterator[None]:
        """Replaces the worker, while the context lasts, by one with these extra environment variables."""
        await self.workers.stop(THE_WORKER)
        await self.workers.start(THE_WORKER, environ)
        try:
            yield
        finally:
            await self.workers.stop(THE_WORKER)
            await self.workers.start(THE_WORKER)

    def _deploy(self) -> Deployment:
        outside = self._outside
        urls = {"TWILIO_API_URL": outside.twilio_api_url, "OPENAI_BASE_URL": outside.openai_base_url}
        keys = worker_container(template.read()).secrets.values()
        return deploy(
            self.emulator.connection,
            secrets={
                **{key: os.environ[key] for key in keys if key in os.environ},  # secrets of the user's own tools
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

    def _worker(self, environ: Mapping[str, str]) -> Process:
        port = free_port()
        variables = {**self.deployment.worker_environ, "PORT": str(port), **self._choices.worker_environ, **environ}
        command = [sys.executable, "-m", "worker"]
        return Process("the worker", command, environ=variables, log=self._logs / "worker.log", port=port)

    def _lead(self, worker_ports: Sequence[int]) -> None:
        self._door.leads_to(api_port=self.emulator.port, api_path=self.deployment.api_path, worker_ports=worker_ports)

    def _keep_function_logs(self) -> None:
        for function, file in FUNCTION_LOGS.items():
            self._logs.joinpath(file).write_text("\n".join(self.deployment.log_of(function)))
