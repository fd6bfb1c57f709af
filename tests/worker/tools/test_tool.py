"""A tool's run: in every case the model gets a correct output and the call goes on."""

import asyncio
import json
import logging
import sys
import threading
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from worker.tools import CallContext, Tool, ToolError, tool

CALL = CallContext(call_sid="CA1", caller="+12025550117", called="+12025550143", language="en")


@tool
async def echo(text: str = "nothing") -> str:
    """Says it again."""
    return text


def failing(error: BaseException) -> Tool:
    """A tool that fails in this way."""

    @tool
    async def fails(secret: str = "") -> None:
        """Fails."""
        raise error

    return fails


@pytest.mark.parametrize("arguments", ["", "  ", "null", "{}"])
async def test_no_arguments_are_an_empty_object(arguments: str) -> None:
    """Empty text, `null` and `{}` all mean no arguments."""
    assert await echo.run(arguments, CALL) == "nothing"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ("[1]", "the arguments must be a JSON object, not an array"),
        ('"text"', "the arguments must be a JSON object, not a string"),
        ("true", "the arguments must be a JSON object, not true or false"),
        ('{"text": "cut o', "the arguments are not valid JSON"),
        ('{"text": NaN}', "the arguments are not valid JSON"),
        ("[" * 100_000, "the arguments are not valid JSON"),
    ],
)
async def test_arguments_that_are_no_object_are_refused(arguments: str, complaint: str) -> None:
    """The tool does not run, and the model learns why."""
    output = json.loads(await echo.run(arguments, CALL))
    assert output["error"].startswith(f"echo did not run: {complaint}")


async def test_each_wrong_argument_is_reported() -> None:
    """The output has the problem of each argument under its name."""
    output = json.loads(await echo.run('{"text": 1, "txt": "x"}', CALL))
    assert output == {
        "error": "echo did not run: these arguments are wrong",
        "arguments": {
            "text": "Input should be a valid string",
            "txt": "there is no such parameter; the parameters are: text",
        },
    }


async def test_a_tools_own_message_reaches_the_model() -> None:
    """The message of a `ToolError` is the output for the model."""
    output = await failing(ToolError("The kitchen is closed.")).run("", CALL)
    assert json.loads(output) == {"error": "The kitchen is closed."}


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("password is hunter2"),
        ExceptionGroup("two", [ValueError("hunter2")]),
        BaseExceptionGroup("worse", [SystemExit("hunter2")]),
        SystemExit("hunter2"),
        KeyboardInterrupt("hunter2"),
        GeneratorExit("hunter2"),
        BaseException("hunter2"),
        StopAsyncIteration("hunter2"),
        TimeoutError("hunter2"),
        RecursionError("hunter2"),
    ],
)
async def test_a_failure_is_reported_without_its_internals(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither the model nor the log gets the message, which may hold anything; the log has the type and the place."""
    output = await failing(error).run('{"secret": "hunter2"}', CALL)
    assert json.loads(output) == {"error": "fails failed and gave no result."}
    (record,) = caplog.records
    assert (record.levelno, record.message) == (logging.WARNING, "tool failed")
    assert (vars(record)["tool"], vars(record)["call_sid"]) == ("fails", "CA1")
    assert vars(record)["error"] == type(error).__name__
    assert vars(record)["at"].startswith("test_tool.py:")
    assert "hunter2" not in str(vars(record))


async def test_a_sync_tool_that_exits_ends_nothing() -> None:
    """`sys.exit` in a thread would otherwise reach the event loop and stop it."""

    @tool
    def leave() -> None:
        """Leaves."""
        sys.exit(3)

    assert json.loads(await leave.run("", CALL)) == {"error": "leave failed and gave no result."}


async def test_a_failing_check_inside_a_tool_is_not_taken_for_wrong_arguments() -> None:
    """A `ValidationError` inside the tool is a failure, not wrong arguments of the model."""

    class Answer(BaseModel):
        price: int

    @tool
    async def price() -> Answer:
        """Asks a back end that answers nonsense."""
        return Answer.model_validate({"price": "free"})

    with pytest.raises(ValidationError):
        await price()
    assert json.loads(await price.run("", CALL)) == {"error": "price failed and gave no result."}


async def test_a_result_without_a_string_is_a_failure() -> None:
    """A result whose `__str__` fails is a failure of the tool."""

    class Mute:
        def __str__(self) -> str:
            raise RuntimeError

    @tool
    async def mute() -> Any:
        """Returns it."""
        return Mute()

    assert json.loads(await mute.run("", CALL)) == {"error": "mute failed and gave no result."}


async def test_a_slow_tool_times_out() -> None:
    """The output says that there is no result, and that it is unknown whether there was an effect."""

    @tool(timeout=0.05)
    async def sleep() -> None:
        """Sleeps."""
        await asyncio.sleep(60)

    output = json.loads(await sleep.run("", CALL))
    assert output["error"].startswith("sleep took longer than 0.05 s and was given up.")
    assert output["error"].endswith("whether it had an effect is not known.")


async def test_a_slow_sync_tool_times_out() -> None:
    """The call goes on, although the tool's thread still runs."""
    release = threading.Event()

    @tool(timeout=0.05)
    def block() -> None:
        """Blocks."""
        release.wait(60)

    try:
        assert "took longer than 0.05 s" in await block.run("", CALL)
    finally:
        release.set()


async def test_a_tools_own_time_out_is_not_taken_for_ours() -> None:
    """A `TimeoutError` of the tool's client is a failure, not the tool's own time limit."""

    @tool
    async def ask() -> None:
        """Asks a back end that is slow."""
        async with asyncio.timeout(0.01):
            await asyncio.sleep(60)

    assert json.loads(await ask.run("", CALL)) == {"error": "ask failed and gave no result."}


async def test_a_tool_that_cancels_itself_ends_nothing() -> None:
    """Libraries do so; it must not look as if the caller were cancelled."""
    output = await failing(asyncio.CancelledError()).run("", CALL)
    assert json.loads(output) == {"error": "fails failed and gave no result."}


async def test_a_cancelled_run_cancels_the_tool() -> None:
    """When the caller hangs up, the tool is cancelled and can clean up."""
    started, cleaned_up = asyncio.Event(), asyncio.Event()

    @tool
    async def work() -> None:
        """Works for long."""
        started.set()
        try:
            await asyncio.sleep(60)
        finally:
            cleaned_up.set()

    run = asyncio.create_task(work.run("", CALL))
    await started.wait()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert cleaned_up.is_set()
