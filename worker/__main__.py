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

_THREAD_SWITCH_INTERVAL_S: Final = 0.0005

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
        _shorten_interpreter_pauses()
        uvloop.run(_run(settings, agents))
    except (SettingsError, AgentError) as wrong:
        _log.error("worker cannot start", error=str(wrong))
        return 1
    except OSError as error:
        _log.error("worker cannot listen", error=str(error))
        return 1
    except Exception as fault:  # noqa: BLE001 - logged as JSON like any other fault
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


def _shorten_interpreter_pauses() -> None:
    """Keeps the interpreter's own pauses far below the 20 ms of an audio frame.

    A busy thread, usually AWS's SDK, blocks all others until the switch interval is over. `gc.freeze` excludes the
    modules loaded so far from garbage collection, because they are never freed.
    """
    sys.setswitchinterval(_THREAD_SWITCH_INTERVAL_S)
    gc.freeze()


def _watches(settings: WorkerSettings) -> list[CallsWatch]:
    """The watches of the number of calls: the metric, and in an ECS task also the task protection."""
    watches: list[CallsWatch] = [report_active_calls]
    if settings.ecs_agent_uri:
        ecs = aws_clients.client("ecs")
        task = EcsTask(settings.ecs_agent_uri, settings.ecs_container_metadata_uri_v4, ecs)
        watches.append(TaskProtection(task).watch)
    return watches


def _configure_logs() -> None:
    """Formats what tools log through the standard library like the worker's own log lines.

    `websockets` logs handshake headers at DEBUG, with OpenAI's key among them, so it is limited to WARNING.
    """
    for name in ("worker", PACKAGE):
        ours = logging.getLogger(name)
        ours.handlers, ours.propagate = _log.handlers, False
        ours.setLevel(_log.log_level)
    logging.getLogger("websockets").setLevel(logging.WARNING)


if __name__ == "__main__":
    status = main(sys.argv[1:])
    # Not `sys.exit`: it would wait for a tool that hangs in its thread.
    os._exit(status)
