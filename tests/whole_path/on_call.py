"""Sets who is on call in the running stack, for one test."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from shared.on_call.store import KEY, RosterStore
from tests.whole_path.conftest import System


@asynccontextmanager
async def on_call(system: System, roster: str, *functions: str) -> AsyncIterator[None]:
    """Uses this roster while the context lasts; restarts these functions (by logical name), so that they read it."""
    table, dynamodb = system.surroundings.stack.deployment.table_name, system._aws("dynamodb")
    RosterStore(table, dynamodb, "tests").write(roster)
    _forget(system, functions)
    yield
    dynamodb.delete_item(TableName=table, Key=KEY)
    _forget(system, functions)


def _forget(system: System, functions: tuple[str, ...]) -> None:
    """Restarts the functions' processes, which drops the roster they have cached."""
    lambda_: Any = system._aws("lambda")
    for function in functions:
        name = system.surroundings.stack.deployment.physical(function)
        there = lambda_.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
        turn = str(int(there.get("TURN", "0")) + 1)
        lambda_.update_function_configuration(FunctionName=name, Environment={"Variables": {**there, "TURN": turn}})
