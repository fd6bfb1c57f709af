"""Protects the worker's ECS task while it has calls, unless a deployment or a scale-in waits for it.

Deployments and scale-ins do not stop a protected task; they stop idle tasks instead. But ECS does not tell the task,
and does not remove it from the load balancer. New calls would keep the protection up, and the deployment would never
end. So when ECS waits for this task, the worker gives up the protection, even with calls. ECS then removes the task
from the load balancer, so no new calls come, waits up to an hour for running calls, and tells the worker to stop.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from shared.logs import logger, metric
from worker.service.ecs import EcsTask, EcsUnavailable

_POLL_INTERVAL_S: Final = 5.0
# Lifted after this time without calls; with short calls it would otherwise be set and lifted for each one.
_LIFT_AFTER_S: Final = 60.0
# Renewed long before it expires. It does expire, so a worker that hangs loses its protection.
_PROTECT_MIN: Final = 30
_RENEW_EVERY_S: Final = 600.0
_RETRY_AFTER_S: Final = 30.0
_CHECK_EVERY_S: Final = 60.0
# Checks in a row that find ECS waiting. Before the last one, ECS may stop an idle task instead.
_MAX_BLOCKED_CHECKS: Final = 3

_log = logger("worker")
Answer = TypeVar("Answer")


class TaskProtection:
    """Sets and lifts the protection of a task by its number of calls. Failed requests are retried."""

    def __init__(self, task: EcsTask) -> None:
        self._task = task
        # Its own thread, so that tools that block cannot delay the protection.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ecs")
        self._last_call = self._renew_at = self._retry_at = self._check_at = float("-inf")
        self._protected = False  # also True when a request failed, because ECS may have set it
        self._blocked_checks = 0

    async def watch(self, calls: Callable[[], int]) -> None:
        """Updates the protection every 5 s by the number of calls, until it is cancelled."""
        while True:
            try:
                await self._update(calls())
            except Exception:  # noqa: BLE001 - a fault here must not end the server and all its calls
                _log.exception("task protection failed")
            await asyncio.sleep(_POLL_INTERVAL_S)

    async def _update(self, calls: int) -> None:
        now = asyncio.get_running_loop().time()
        if calls:
            self._last_call = now
        busy = now - self._last_call < _LIFT_AFTER_S
        if busy and now >= self._check_at:
            self._check_at = now + _CHECK_EVERY_S
            await self._check_deployment()
        protect = busy and self._blocked_checks < _MAX_BLOCKED_CHECKS
        due = protect != self._protected or (protect and now >= self._renew_at)
        if due and now >= self._retry_at:
            await self._set(now, protected=protect)

    async def _set(self, now: float, *, protected: bool) -> None:
        try:
            await self._in_thread(lambda: self._task.protect(_PROTECT_MIN) if protected else self._task.lift())
        except EcsUnavailable as failure:
            self._protected = True
            self._retry_at = self._renew_at = now + _RETRY_AFTER_S
            self._note_failure(failure)
            return
        if protected != self._protected:
            _log.info("task protected" if protected else "task protection lifted", held_up=bool(self._blocked_checks))
        self._protected = protected
        self._renew_at = now + _RENEW_EVERY_S

    async def _check_deployment(self) -> None:
        """Counts the checks in a row that find ECS waiting; a failed check changes nothing."""
        try:
            blocked = await self._in_thread(self._task.blocks_deployment)
        except EcsUnavailable as failure:
            self._note_failure(failure)
            return
        self._blocked_checks = self._blocked_checks + 1 if blocked else 0

    def _note_failure(self, failure: EcsUnavailable) -> None:
        _log.warning("task protection request failed", error=str(failure))
        metric("worker", "TaskProtectionFailures")

    async def _in_thread(self, work: Callable[[], Answer]) -> Answer:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)
