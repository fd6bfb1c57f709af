"""The Harbour Hotel's tools: what its agents can look up. The hotel is made up."""

from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from worker.tools import CallContext, ToolError, tool

Place = Literal["reception", "restaurant", "bar", "pool", "spa", "garage"]
RoomType = Literal["single", "double", "family"]

_HOURS: dict[Place, str] = {
    "reception": "open day and night",
    "restaurant": "breakfast 7 to 10:30, dinner 18 to 22, on Mondays no dinner",
    "bar": "16 to midnight, on Fridays and Saturdays until 2",
    "pool": "7 to 21",
    "spa": "10 to 19, closed on Mondays",
    "garage": "open day and night, 18 dollars a night",
}


class Stay(BaseModel):
    """A room for the nights asked for. Prices are in US dollars, breakfast included."""

    room: RoomType
    rooms_free: int
    price_per_night: int
    total_price: int


class Booking(BaseModel):
    """A guest's booking."""

    reference: str
    guest: str
    room: RoomType
    arrival: date
    nights: int


_PRICES: dict[RoomType, int] = {"single": 95, "double": 140, "family": 190}
_SLEEPS: dict[RoomType, int] = {"single": 1, "double": 2, "family": 5}
_BOOKINGS = {
    "+12025550117": Booking(reference="H4821", guest="Robin Hale", room="double", arrival=date(2030, 5, 3), nights=2),
}


@tool
async def opening_hours(
    place: Annotated[Place, "the part of the hotel that the caller asks about"] = "reception",
) -> str:
    """Tells when a part of the hotel is open. Use it for every question about opening times; never guess them."""
    return _HOURS[place]


@tool(timeout=5.0)
def room_availability(
    arrival: Annotated[date, "the first night, as YYYY-MM-DD"],
    nights: Annotated[int, Field(ge=1, le=30, description="how many nights")] = 1,
    guests: Annotated[int, Field(ge=1, le=5, description="how many people")] = 1,
) -> list[Stay]:
    """Finds free rooms and their prices. Ask for the date of arrival first; the rest you may assume and confirm."""
    # Where the hotel stands, it may still be the day before the one in UTC.
    if arrival < datetime.now(UTC).date() - timedelta(days=1):
        raise ToolError(f"{arrival} is in the past. Ask the caller for the date again.")
    weekend = any((arrival + timedelta(days=night)).weekday() in (4, 5) for night in range(nights))
    return [
        Stay(room=room, rooms_free=1 if weekend else 4, price_per_night=price, total_price=price * nights)
        for room, price in _PRICES.items()
        if _SLEEPS[room] >= guests
    ]


@tool
async def find_booking(
    call: CallContext,
    reference: Annotated[str | None, "the booking's reference, a letter and four digits, if the caller has it"] = None,
) -> Booking:
    """Finds the caller's booking, by the number they are calling from or by a reference that they give."""
    if reference:
        found = next((booking for booking in _BOOKINGS.values() if booking.reference == reference.upper()), None)
    else:
        found = _BOOKINGS.get(call.caller)
    if found is None:
        raise ToolError("No booking was found. Ask the caller for its reference, or offer to fetch a person.")
    return found
