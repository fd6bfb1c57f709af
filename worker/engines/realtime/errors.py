"""What each error code of the Realtime API means for a call.

OpenAI publishes no full list of codes; these were found in public reports and SDKs. An unknown code is logged and the
call continues, because most errors do not affect the session.
"""

from enum import Enum
from typing import Final

from worker.engines.realtime.events import ErrorBody


class Treatment(Enum):
    """What to do about an error."""

    IGNORE = "ignore"  # a harmless race
    REFUSED = "refused"  # another response is active; request ours again after it
    RETRY = "retry"  # temporary: request the response again later
    FATAL = "fatal"  # a retry cannot help: apologise and escalate
    LOG = "log"  # unknown: log it and continue


_TREATMENTS: Final = {
    Treatment.IGNORE: {
        "response_cancel_not_active",
        "item_truncate_invalid",
        "item_truncate_invalid_item_id",
        "item_truncate_invalid_audio_end_ms",
        "item_retrieve_invalid_item_id",
        "item_not_found",
        "input_audio_buffer_commit_empty",
        "cannot_update_voice",
        "session_expired",  # handled by the close that follows
    },
    Treatment.REFUSED: {"conversation_already_has_active_response"},
    Treatment.RETRY: {"rate_limit_exceeded", "inference_rate_limit_exceeded", "server_error"},
    Treatment.FATAL: {
        "insufficient_quota",
        "credit_balance_exhausted",
        "billing_hard_limit_reached",
        "invalid_api_key",
        "account_deactivated",
        "beta_api_shape_disabled",
    },
}
_BY_CODE: Final = {code: treatment for treatment, codes in _TREATMENTS.items() for code in codes}


def treatment_of(error: ErrorBody | None) -> Treatment:
    """The treatment for an error, by its code. Without a code, by its type: some quota errors have their code there."""
    if error is None:
        return Treatment.RETRY
    if error.code is None:
        return _BY_CODE.get(error.type or "", Treatment.LOG)
    if error.code == "invalid_value" and "already shorter" in error.message:
        return Treatment.IGNORE
    return _BY_CODE.get(error.code, Treatment.LOG)
