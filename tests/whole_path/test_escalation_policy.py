"""The escalation policy on the whole path: real queues with their delays, and a roster changed without a deploy."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from shared.escalations.record import Status
from tests.whole_path.conftest import System, escalation
from tests.whole_path.on_call import on_call

pytestmark = pytest.mark.asyncio(loop_scope="session")

MARIA, BEN = "+15550100401", "+15550100402"
ROSTER = f"""
[[tiers]]
accept_within_s = 15
people = ["maria"]
[[tiers]]
accept_within_s = 15
people = ["ben"]
[people.maria]
name = "Maria Lopez"
phone = "{MARIA}"
[people.ben]
name = "Ben"
phone = "{BEN}"
"""


@pytest_asyncio.fixture(loop_scope="session")
async def roster(system: System) -> AsyncIterator[None]:
    """Two tiers of one person each, for one test."""
    async with on_call(system, ROSTER, "AlertsFunction"):
        yield


@pytest.mark.usefixtures("roster")
async def test_nobody_accepts(system: System) -> None:
    """Tiers are alerted in order, each after the time of the one before; then both people are told of the callback."""
    sent = escalation()
    system.enqueue(sent.to_json())
    alerts = await system.alerted(4)
    assert [to for to, _text in alerts[:2]] == [MARIA, BEN]
    assert {to for to, _text in alerts[2:]} == {MARIA, BEN}
    assert [text.startswith("Callback promised") for _to, text in alerts] == [False, False, True, True]
    store = system.escalations
    record = store.get(sent.escalation_id)
    assert record is not None
    statuses = [step.status for step in record.history]
    assert statuses == [Status.QUEUED, Status.ALERTED, Status.ALERTED, Status.EXPIRED, Status.CALLBACK]
    assert (record.history[3].at - record.history[1].at).total_seconds() >= 30
    assert [there.escalation.escalation_id for there in store.open()][-1] == sent.escalation_id
