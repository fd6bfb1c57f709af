"""How long calls may last."""

from functions.desk.actions import RINGS_S
from functions.desk.phone.twiml import CALLER_RINGS_S
from local.twilio.twiml import LONGEST_CALL_S
from shared.escalations.record import JOINS_WITHIN_S
from shared.twilio.call_limits import PERSONS_CALL_LIMIT_S, TALK_LIMIT_S


def test_a_conversation_ends_first() -> None:
    """The call that carries it has time for all that comes before, and Twilio takes both limits."""
    before = RINGS_S + JOINS_WITHIN_S + CALLER_RINGS_S
    assert 0 < TALK_LIMIT_S < TALK_LIMIT_S + before < PERSONS_CALL_LIMIT_S <= LONGEST_CALL_S
