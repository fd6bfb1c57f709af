"""How long calls may last."""

from functions.desk.actions import RINGS_S
from functions.desk.twiml import CALLER_RINGS_S
from local.twilio.twiml import LONGEST_CALL_S
from shared.call_limits import PERSONS_CALL_LIMIT_S, TALK_LIMIT_S
from shared.escalation_life import JOINS_WITHIN_S


def test_a_conversation_ends_first() -> None:
    """The call that carries it has time for all that comes before, and Twilio takes both limits."""
    before = RINGS_S + JOINS_WITHIN_S + CALLER_RINGS_S
    assert 0 < TALK_LIMIT_S < TALK_LIMIT_S + before < PERSONS_CALL_LIMIT_S <= LONGEST_CALL_S
