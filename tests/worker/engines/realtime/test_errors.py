"""What error codes mean for a call."""

import pytest

from worker.engines.realtime.errors import Treatment, treatment_of
from worker.engines.realtime.events import ErrorBody


@pytest.mark.parametrize(
    ("error", "treatment"),
    [
        (ErrorBody(code="response_cancel_not_active"), Treatment.IGNORE),
        (ErrorBody(code="conversation_already_has_active_response"), Treatment.REFUSED),
        (ErrorBody(code="rate_limit_exceeded"), Treatment.RETRY),
        (ErrorBody(code="inference_rate_limit_exceeded"), Treatment.RETRY),
        (ErrorBody(code="server_error"), Treatment.RETRY),
        (ErrorBody(code="invalid_api_key"), Treatment.FATAL),
        (ErrorBody(code=None, type="insufficient_quota"), Treatment.FATAL),
        (
            ErrorBody(code="invalid_value", message="Audio of 2 ms is already shorter than 3 ms"),
            Treatment.IGNORE,
        ),
        (ErrorBody(code="invalid_value", message="speed must be at most 1.5"), Treatment.LOG),
        (ErrorBody(code="heard_of_by_nobody"), Treatment.LOG),
        (None, Treatment.RETRY),
    ],
)
def test_treatment(error: ErrorBody | None, treatment: Treatment) -> None:
    """By code; by type where the code is missing; unknown ones are noted and nothing more."""
    assert treatment_of(error) is treatment
