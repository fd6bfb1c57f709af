"""Starts and stops responses, one at a time: those triggered by the caller's turn or silence, and the client's own."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, Literal

from local.model.brain import Turn
from local.model.configuration import Configuration
from local.model.faults import NeverAnswer
from local.model.hearing import Hearing
from local.model.refusals import Refused
from local.model.response import Response, Stage

Why = Literal["client", "vad", "idle"]


class Responses:
    """Creates and cancels the responses of one session, and runs its idle timeout."""

    def __init__(self, stage: Stage, configuration: Configuration, hearing: Hearing, tasks: asyncio.TaskGroup) -> None:
        self._stage, self._configuration, self._hearing, self._tasks = stage, configuration, hearing, tasks
        self._newest: Response | None = None
        self._idle: asyncio.Task[None] | None = None

    @property
    def _active(self) -> Response | None:
        return self._newest if self._newest and not self._newest.over else None

    @property
    def speaking(self) -> bool:
        """Whether a response is active."""
        return self._active is not None

    async def create(self, given: dict[str, Any], why: Why) -> None:
        """Begins a response with the session's settings, overridden by `given`.

        Raises `Refused` while another one is active, or when the request cannot be met.
        """
        settings = self._configuration.for_response(given, spoken=self._stage.spoken)
        if active := self._active:
            raise Refused(
                "conversation_already_has_active_response",
                f"Conversation already has an active response in progress: {active.id}. "
                "Wait until the response is finished before creating a new one.",
            )
        if self._stage.faults.take(NeverAnswer):
            return
        self._stop_waiting()
        own = str(self._configuration.session["instructions"])
        asked = given.get("instructions", "").removeprefix(own).strip()
        response = self._newest = Response(self._stage, settings)
        await response.begin()
        self._tasks.create_task(self._run(response, lambda: self._turn(settings, asked, why)))

    async def _run(self, response: Response, listen: Callable[[], Awaitable[Turn]]) -> None:
        started = asyncio.get_running_loop().time()
        await response.run(listen)
        playing_s = started + response.audio_ms / 1000 - asyncio.get_running_loop().time()
        self._wait_for_caller(max(0.0, playing_s))

    async def _turn(self, settings: dict[str, Any], asked: str, why: Why) -> Turn:
        items = list(self._stage.conversation.items)
        said: list[str] = []
        for item in items:
            if item.role == "assistant":
                said.clear()
            elif item.role == "user":
                said.append(await self._hearing.words(item))
        return Turn(
            heard=" ".join(filter(None, said)),
            instructions=settings["instructions"],
            asked=asked,
            tools=settings["tools"],
            tool_choice=settings["tool_choice"],
            items=items,
            why=why,
        )

    async def cancel(self, response_id: str | None) -> None:
        """Handles `response.cancel`; raises `Refused` if there is no active response."""
        active = self._active
        if active is None or response_id not in (None, active.id):
            raise Refused("response_cancel_not_active", "Cancellation failed: no active response found")
        active.stop("client_cancelled")
        await active.finished.wait()

    async def interrupt(self) -> None:
        """Handles the start of the caller's speech: with `interrupt_response`, stops the active response."""
        self._stop_waiting()
        response = self._active
        if response and self._configuration.audio_input["turn_detection"]["interrupt_response"]:
            response.stop("turn_detected")
            await response.finished.wait()

    async def answer(self) -> None:
        """Handles the end of the caller's turn: with `create_response`, the model answers.

        Raises `Refused` if a response is still active.
        """
        if self._configuration.audio_input["turn_detection"]["create_response"]:
            await self.create({}, "vad")

    def _wait_for_caller(self, playing_s: float) -> None:
        """Starts the idle timeout, counted from the end of the playback."""
        self._stop_waiting()
        idle_ms = (self._configuration.audio_input["turn_detection"] or {}).get("idle_timeout_ms")
        if idle_ms and self._active is None:
            self._idle = self._tasks.create_task(self._time_out(playing_s, idle_ms))

    def _stop_waiting(self) -> None:
        if self._idle and self._idle is not asyncio.current_task():
            self._idle.cancel()
        self._idle = None

    async def _time_out(self, playing_s: float, idle_ms: int) -> None:
        await asyncio.sleep(playing_s + idle_ms / 1000)
        await self._hearing.time_out(idle_ms)
        with contextlib.suppress(Refused):  # a response has just begun, so the timeout is void
            await self.create({}, "idle")
