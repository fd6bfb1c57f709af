"""What the tests of all three functions need: patience with a busy machine."""

import pytest

PATIENCE_S = 60.0
LIMITS = (
    "shared.aws_clients.CONNECT_TIMEOUT_S",
    "shared.aws_clients.READ_TIMEOUT_S",
    "shared.telephony.CONNECT_TIMEOUT_S",
    "shared.telephony.READ_TIMEOUT_S",
    "functions.voice.stream_end.STORE_LIMIT_S",
    "functions.voice.broken_call.READ_LIMIT_S",
    "functions.voice.broken_call.QUEUE_LIMIT_S",
    "functions.desk.visit.ANSWERED_WITHIN_S",
    "functions.desk.legs.STATUS_WITHIN_S",
)


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """No limit is reached only because the machine has other things to do; a test about one sets it by itself."""
    for limit in LIMITS:
        monkeypatch.setattr(limit, PATIENCE_S)
    return monkeypatch
