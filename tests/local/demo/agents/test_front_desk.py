"""The Harbour Hotel's tools, called as the model calls them."""

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from local.demo.agents.front_desk import find_booking, opening_hours, room_availability
from worker.tools import CallContext, Tool

GUEST = CallContext(call_sid="CA1", caller="+12025550117", called="+12025550143", language="en")
STRANGER = CallContext(call_sid="CA2", caller="+12025550199", called="+12025550143", language="en")


async def run(tool: Tool, call: CallContext = STRANGER, /, **arguments: Any) -> Any:
    return json.loads(await tool.run(json.dumps(arguments), call))


def monday() -> date:
    """A Monday far enough away."""
    today = datetime.now(UTC).date()
    return today + timedelta(days=14 - today.weekday())


async def test_opening_hours() -> None:
    """For the place in the arguments, else for the reception."""
    assert await opening_hours.run('{"place": "pool"}', STRANGER) == "7 to 21"
    assert await opening_hours.run("", STRANGER) == "open day and night"


async def test_opening_hours_of_an_unknown_place() -> None:
    """The error lists the places."""
    output = await run(opening_hours, place="casino")
    assert "'reception', 'restaurant', 'bar', 'pool', 'spa' or 'garage'" in output["arguments"]["place"]


async def test_free_rooms_and_their_prices() -> None:
    """Rooms that are large enough, priced for all nights."""
    stays = await run(room_availability, arrival=monday().isoformat(), nights=2, guests=3)
    assert stays == [{"room": "family", "rooms_free": 4, "price_per_night": 190, "total_price": 380}]


async def test_weekends_are_nearly_full() -> None:
    """From Friday to Sunday there is one of each."""
    stays = await run(room_availability, arrival=monday().isoformat(), nights=5)
    assert {stay["rooms_free"] for stay in stays} == {1}


async def test_no_rooms_in_the_past() -> None:
    """The error tells the model to ask again."""
    assert await run(room_availability, arrival="2020-01-01") == {
        "error": "2020-01-01 is in the past. Ask the caller for the date again."
    }


@pytest.mark.parametrize(
    ("call", "arguments", "guest"),
    [(GUEST, {}, "Robin Hale"), (STRANGER, {"reference": "h4821"}, "Robin Hale")],
)
async def test_a_booking_by_number_or_reference(call: CallContext, arguments: dict[str, str], guest: str) -> None:
    """The caller's number comes from the call, not from the model."""
    assert (await run(find_booking, call, **arguments))["guest"] == guest


@pytest.mark.parametrize(("call", "arguments"), [(STRANGER, {}), (GUEST, {"reference": "X1"})])
async def test_no_booking(call: CallContext, arguments: dict[str, str]) -> None:
    """A wrong reference finds nothing, even for a known caller."""
    assert (await run(find_booking, call, **arguments))["error"].startswith("No booking was found.")
