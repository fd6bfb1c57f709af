"""Caller and person hear each other, and no more: the two events that several of Twilio's messages tell of.

Both do nothing unless it is this very leg's turn, since any of those messages may come twice or too late.
"""

from datetime import UTC, datetime, timedelta

from shared.escalations.record import TALK_CHECKED_EVERY_S, Life, Status


def connected(life: Life, leg: str) -> Life:
    """They are together, the person on this leg."""
    if life.status is not Status.ACCEPTED or life.leg != leg:
        return life
    now = datetime.now(UTC)
    return life.connected(now, now + timedelta(seconds=TALK_CHECKED_EVERY_S))


def talked(life: Life, leg: str) -> Life:
    """One of them has hung up."""
    if life.status is not Status.CONNECTED or life.leg != leg:
        return life
    now = datetime.now(UTC)
    return life.talked(now, int((now - (life.since(Status.CONNECTED) or now)).total_seconds()))
