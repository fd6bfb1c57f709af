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
from shared.agents import AgentError, Agents
from shared.calls.store import CallStore
from shared.escalations.queue import EscalationQueue
from shared.escalations.store import EscalationStore
from shared.logs import logger
from shared.settings import SettingsError
from worker.agents import Agent, load_agents
from worker.agents.tool_folder import PACKAGE
from worker.faults import report_fault, report_loop_fault
from worker.service.ecs import EcsTask
from worker.service.load import CallsWatch, report_active_calls
from worker.service.log_writer import log_written_aside
from worker.service.server import Service
from worker.service.task_protection import TaskProtection
from worker.settings import WorkerSettings
from worker.storage import Storage

_SWITCH_THREADS_S: Final = 0.0005

_log = logger("worker")


def main(arguments: Sequence[str]) -> int:
    """Runs the worker until it is told to stop; 1 if its settings, agents or port are wrong."""
    argparse.ArgumentParser(
        "python -m worker", description="Takes no arguments: the settings are read from the environment."
    ).parse_args(arguments)
    with log_written_aside():
        return _main()


def _main() -> int:
    _configure_logs()
    try:
        settings = WorkerSettings.taken_from_environ()  # before the tools are imported
        agents = load_agents(settings.agents_dir)
        _go_easy_on_the_loop()
        uvloop.run(_run(settings, agents))
    except (SettingsError, AgentError) as wrong:
        _log.error("worker cannot start", error=str(wrong))
        return 1
    except OSError as error:
        _log.error("worker cannot listen", error=str(error))
        return 1
    except Exception as fault:  # noqa: BLE001 - it belongs into the log like any other
        report_fault("worker failed", fault)
        return 1
    return 0


async def _run(settings: WorkerSettings, agents: Agents[Agent]) -> None:
    asyncio.get_running_loop().set_exception_handler(report_loop_fault)
    stop = asyncio.Event()
    for stopping in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(stopping, stop.set)
    dynamodb = aws_clients.client("dynamodb")
    storage = Storage(
        CallStore(settings.table_name, dynamodb),
        EscalationQueue(settings.escalation_queue_url, aws_clients.client("sqs")),
        EscalationStore(settings.table_name, dynamodb),
    )
    try:
        await Service(settings, agents, storage, _watches(settings)).run(stop)
    finally:
        storage.close()


def _go_easy_on_the_loop() -> None:
    """Keeps the interpreter's own pauses far below the 20 ms of a frame.

    A thread that works, as a rule for AWS's SDK, holds every other one up until the interval of switching is over. What
    has been loaded by now stays for good, and need not be looked through whenever garbage is collected.
    """
    sys.setswitchinterval(_SWITCH_THREADS_S)
    gc.freeze()


def _watches(settings: WorkerSettings) -> list[CallsWatch]:
    """What acts on the number of calls: the metric, and in an ECS task its protection."""
    watches: list[CallsWatch] = [report_active_calls]
    if settings.ecs_agent_uri:
        ecs = aws_clients.client("ecs")
        task = EcsTask(settings.ecs_agent_uri, settings.ecs_container_metadata_uri_v4, ecs)
        watches.append(TaskProtection(task).watch)
    return watches


def _configure_logs() -> None:
    """Gives the lines that tools log through the standard library, each as its module, the worker's shape.

    `websockets` logs a handshake's headers when debugging, OpenAI's key among them.
    """
    for name in ("worker", PACKAGE):
        ours = logging.getLogger(name)
        ours.handlers, ours.propagate = _log.handlers, False
        ours.setLevel(_log.log_level)
    logging.getLogger("websockets").setLevel(logging.WARNING)


if __name__ == "__main__":
    status = main(sys.argv[1:])
    # Not `sys.exit`, which would wait for a tool that is stuck in its thread.
    os._exit(status)
