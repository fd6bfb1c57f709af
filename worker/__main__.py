"""Starts the worker: `python -m worker`."""

import argparse
import asyncio
import gc
import logging
import os
import signal
import sys
from collections.abc import Sequence
from typing import Final

import uvloop

from shared import aws_clients
from shared.call_store import CallStore
from shared.escalation_queue import EscalationQueue
from shared.escalation_store import EscalationStore
from shared.logs import logger
from shared.settings import SettingsError
from worker.active_calls import CallsWatch, report_active_calls
from worker.ecs_task import EcsTask
from worker.faults import report_fault, report_loop_fault
from worker.log_writer import log_written_aside
from worker.processes.from_front import FromFront
from worker.processes.front import FROM_FRONT, Front, ProcessesFailed
from worker.profiles import ProfileError, Profiles, load_profiles
from worker.server import Worker
from worker.settings import WorkerSettings
from worker.storage import Storage
from worker.task_protection import TaskProtection

_SWITCH_THREADS_S: Final = 0.0005

_log = logger("worker")


def main(arguments: Sequence[str]) -> int:
    """Runs the worker until it is told to stop; 1 if its settings, profiles or port are wrong, or no process starts."""
    given = argparse.ArgumentParser("worker")
    given.add_argument(FROM_FRONT, metavar="DESCRIPTOR", type=int, help="of a process that another one has started")
    front = given.parse_args(arguments).from_front
    with log_written_aside():
        return _main(front)


def _main(front: int | None) -> int:
    _configure_logs()
    try:
        settings = WorkerSettings.taken_from_environ()  # before the tools are imported
        if settings.processes > 1:
            _log.append_keys(pid=os.getpid())  # they write to one stdout
        profiles = load_profiles(settings.agents_dir)
        _go_easy_on_the_loop()
        uvloop.run(_run(settings, profiles, front))
    except (SettingsError, ProfileError, ProcessesFailed) as wrong:
        _log.error("worker cannot start", error=str(wrong))
        return 1
    except OSError as error:
        _log.error("worker cannot listen", error=str(error))
        return 1
    except Exception as fault:  # noqa: BLE001 - it belongs into the log like any other
        report_fault("worker failed", fault)
        return 1
    return 0


async def _run(settings: WorkerSettings, profiles: Profiles, front: int | None) -> None:
    """As the whole worker, as the front of several processes, or as one of them."""
    asyncio.get_running_loop().set_exception_handler(report_loop_fault)
    stop = asyncio.Event()
    for stopping in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(stopping, stop.set)
    if front is not None:
        await _serve(settings.for_one_process(), profiles, stop, front=FromFront(front))
    elif settings.processes > 1:
        await Front(settings, _of_the_task(settings)).run(stop)
    else:
        await _serve(settings, profiles, stop, _of_the_task(settings))


async def _serve(
    settings: WorkerSettings,
    profiles: Profiles,
    stop: asyncio.Event,
    watches: Sequence[CallsWatch] = (),
    front: FromFront | None = None,
) -> None:
    dynamodb = aws_clients.client("dynamodb")
    storage = Storage(
        CallStore(settings.table_name, dynamodb),
        EscalationQueue(settings.escalation_queue_url, aws_clients.client("sqs")),
        EscalationStore(settings.table_name, dynamodb),
    )
    try:
        await Worker(settings, profiles, storage, watches, front).run(stop)
    finally:
        storage.close()


def _go_easy_on_the_loop() -> None:
    """Keeps the interpreter's own pauses far below the 20 ms of a frame.

    A thread that works, as a rule for AWS's SDK, holds every other one up until the interval of switching is over. What
    has been loaded by now stays for good, and need not be looked through whenever garbage is collected.
    """
    sys.setswitchinterval(_SWITCH_THREADS_S)
    gc.freeze()


def _of_the_task(settings: WorkerSettings) -> list[CallsWatch]:
    """What goes by all calls of the task that this worker is, if it is one."""
    watches: list[CallsWatch] = [report_active_calls]
    if settings.ecs_agent_uri:
        ecs = aws_clients.client("ecs")
        task = EcsTask(settings.ecs_agent_uri, settings.ecs_container_metadata_uri_v4, ecs)
        watches.append(TaskProtection(task).watch)
    return watches


def _configure_logs() -> None:
    """Tools log through the standard library; their lines take the worker's shape.

    `websockets` logs a handshake's headers when debugging, OpenAI's key among them.
    """
    tools = logging.getLogger("worker")
    tools.handlers, tools.propagate = _log.handlers, False
    tools.setLevel(_log.log_level)
    logging.getLogger("websockets").setLevel(logging.WARNING)


if __name__ == "__main__":
    status = main(sys.argv[1:])
    # Not `sys.exit`, which would wait for a tool that is stuck in its thread.
    os._exit(status)
