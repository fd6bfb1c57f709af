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
        (ErrorBody(code="unknown_code"), Treatment.LOG),
        (None, Treatment.RETRY),
    ],
)
def test_treatment(error: ErrorBody | None, treatment: Treatment) -> None:
    """By code, or by type if the code is missing; unknown codes are only logged."""
    assert treatment_of(error) is treatment
