"""The person leaves while the caller hears hold music, and the first attempt to return the caller fails."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from local.twilio import CallReport, Fault, Loss
from local.twilio.person import HangUp
from tests.whole_path.acts import Do
from tests.whole_path.conftest import System
from tests.whole_path.take_over.people import ANA, BEN, CLEO, OnCall, takes
from tests.whole_path.take_over.stories import Story, together, told, until

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_one_request_is_lost_or_refused(system: System) -> None:
    """The callback about the hang-up is lost, or Twilio repeatedly refuses to redirect the caller."""
    await together(_the_callback_is_lost(system), _the_return_is_refused(system))


async def _the_callback_is_lost(system: System) -> None:
    enough = asyncio.Event()
    system.surroundings.twilio.phones[ANA.phone] = takes(Do(enough.wait), HangUp())
    async with Story(system, "+15557770371") as story:
        leg = await _caller_joins(story, ANA)
        loss = Loss("/leg-ended", leg.call_sid)
        system.surroundings.twilio.lose(loss)
        enough.set()
        await _is_back(story, ANA)
    assert loss.times == 0


async def _the_return_is_refused(system: System) -> None:
    enough = asyncio.Event()
    system.surroundings.twilio.phones[BEN.phone] = takes(Do(enough.wait), HangUp())
    async with Story(system, "+15557770372") as story:
        await _caller_joins(story, BEN)
        refusal = Fault(f"/Calls/{story.call_sid}", method="POST", status=503, times=2)
        system.surroundings.twilio.fail(refusal)
        enough.set()
        await _is_back(story, BEN)
    assert refusal.times == 0


async def test_the_table_is_away_when_the_person_leaves(system: System) -> None:
    """The hang-up cannot be stored, so Twilio gets a 503; the caller is soon back with the agent."""
    system.surroundings.twilio.phones[CLEO.phone] = takes()
    async with Story(system, "+15557770373") as story:
        leg = await _caller_joins(story, CLEO)
        async with _desk_without_a_table(system):
            await until(lambda: bool(leg.callbacks), "the callback about the leg's end")
        await _is_back(story, CLEO)
    assert [callback.status for callback in leg.callbacks] == [503]


async def _caller_joins(story: Story, person: OnCall) -> CallReport:
    """Until the person has taken the call and the caller hears music; returns the report of the person's call."""
    await story.taps(person)
    record = await story.record(lambda record: record.caller_joined)
    return next(report for report in story.twilio.reports if report.call_sid == record.leg)


async def _is_back(story: Story, person: OnCall) -> None:
    """The agent has the caller again and knows who did not join; the caller is not redirected a second time."""
    await told(story.system, f"The caller is back with you: {person.name} could not join after all")
    await until(lambda: len(story.report.streams) == 2, "the agent")
    await story.record(lambda record: record.return_check_at is None)
    report = await story.hang_up()
    assert (len(report.streams), len(report.visits)) == (2, 1)


@asynccontextmanager
async def _desk_without_a_table(system: System) -> AsyncIterator[None]:
    """Gives the desk a table name that does not exist, as if DynamoDB refused every request."""
    lambda_: Any = system._aws("lambda")
    name = system.surroundings.stack.deployment.physical("DeskFunction")
    before = lambda_.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    lambda_.update_function_configuration(
        FunctionName=name, Environment={"Variables": {**before, "TABLE_NAME": "none"}}
    )
    try:
        yield
    finally:
        lambda_.update_function_configuration(FunctionName=name, Environment={"Variables": before})
