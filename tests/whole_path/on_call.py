"""Puts people on call in the running stack, and takes them off again."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from shared.on_call.store import KEY, RosterStore
from tests.whole_path.conftest import System


@asynccontextmanager
async def on_call(system: System, roster: str, *functions: str) -> AsyncIterator[None]:
    """These people are on call, for these functions (by their logical names) from the first moment on."""
    table, dynamodb = system.surroundings.stack.deployment.table_name, system._aws("dynamodb")
    RosterStore(table, dynamodb, "tests").write(roster)
    _forget(system, functions)
    yield
    dynamodb.delete_item(TableName=table, Key=KEY)
    _forget(system, functions)


def _forget(system: System, functions: tuple[str, ...]) -> None:
    """Has the functions begin in a new process, which has read no roster yet."""
    lambda_: Any = system._aws("lambda")
    for function in functions:
        name = system.surroundings.stack.deployment.physical(function)
        there = lambda_.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
        turn = str(int(there.get("TURN", "0")) + 1)
        lambda_.update_function_configuration(FunctionName=name, Environment={"Variables": {**there, "TURN": turn}})
