"""Keeps ECS from ending this worker's task while it has calls, for as long as that holds nobody up.

A protected task is passed over by a scale-in and by a deploy, which then choose idle ones. But ECS neither tells it so
nor takes it from the load balancer: with new calls coming all the time, a deploy would never end, nor would a scale-in.
So a worker that sees ECS waiting gives its protection up, calls or not. ECS then takes it from the load balancer, which
sends no new calls and leaves those that run up to an hour, before the worker is told to stop.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from shared.logs import logger, metric
from worker.service.ecs import EcsTask, EcsUnavailable

_POLL_INTERVAL_S: Final = 5.0
# Lifted only when no call has come for a while: a worker whose calls are short would ask at each of them.
_LINGER_S: Final = 60.0
# Renewed long before it ends; a worker that hangs is not protected for ever.
_LASTS_MIN: Final = 30
_RENEW_EVERY_S: Final = 600.0
_RETRY_AFTER_S: Final = 30.0
_ASK_EVERY_S: Final = 60.0
# Times in a row. Meanwhile ECS may find another task, which has no calls.
_MAX_HOLD_UPS: Final = 3

_log = logger("worker")
Answer = TypeVar("Answer")


class TaskProtection:
    """Unprotected, protected, or giving way. What fails is tried again, and no call learns of it."""

    def __init__(self, task: EcsTask) -> None:
        self._task = task
        # A thread of its own: tools that block must not keep the task from being protected.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ecs")
        self._last_call = self._renew_at = self._retry_at = self._ask_at = float("-inf")
        self._protected = False  # or perhaps so: it was asked for
        self._hold_ups = 0

    async def watch(self, calls: Callable[[], int]) -> None:
        """Looks how many calls there are, again and again, until it is cancelled."""
        while True:
            try:
                await self._look(calls())
            except Exception:  # noqa: BLE001 - a fault here must not end the server, and with it every call
                _log.exception("task protection failed")
            await asyncio.sleep(_POLL_INTERVAL_S)

    async def _look(self, calls: int) -> None:
        now = asyncio.get_running_loop().time()
        if calls:
            self._last_call = now
        busy = now - self._last_call < _LINGER_S
        if busy and now >= self._ask_at:
            self._ask_at = now + _ASK_EVERY_S
            await self._ask_whether_it_holds_up()
        wanted = busy and self._hold_ups < _MAX_HOLD_UPS
        due = wanted != self._protected or (wanted and now >= self._renew_at)
        if due and now >= self._retry_at:
            await self._set(now, protected=wanted)

    async def _set(self, now: float, *, protected: bool) -> None:
        try:
            await self._in_thread(lambda: self._task.protect(_LASTS_MIN) if protected else self._task.lift())
        except EcsUnavailable as failure:
            self._protected = True
            self._retry_at = self._renew_at = now + _RETRY_AFTER_S
            self._note_failure(failure)
            return
        if protected != self._protected:
            _log.info("task protected" if protected else "task protection lifted", held_up=bool(self._hold_ups))
        self._protected = protected
        self._renew_at = now + _RENEW_EVERY_S

    async def _ask_whether_it_holds_up(self) -> None:
        """In doubt nothing changes: while ECS does not say that it waits, the calls are protected."""
        try:
            held_up = await self._in_thread(self._task.blocks_deployment)
        except EcsUnavailable as failure:
            self._note_failure(failure)
            return
        self._hold_ups = self._hold_ups + 1 if held_up else 0

    def _note_failure(self, failure: EcsUnavailable) -> None:
        _log.warning("task protection", error=str(failure))
        metric("worker", "TaskProtectionFailures")

    async def _in_thread(self, work: Callable[[], Answer]) -> Answer:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)
