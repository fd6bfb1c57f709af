"""The escalation message."""

import json
import time
from datetime import UTC, datetime, timedelta

import pytest

from shared.escalation import Escalation, NotAnEscalation, Turn, escalation_id_for

MESSAGE = {
    "version": 1,
    "escalation_id": "CA1-1",
    "call_sid": "CA1",
    "caller": "+15551234567",
    "called": "+15557654321",
    "reason": "refund",
    "summary": "Charged twice for order 12.",
    "urgency": "high",
    "transcript": [{"role": "caller", "text": "I was charged twice", "at": "2026-11-22T10:00:00Z"}],
    "language": "en",
    "created_at": "2026-11-22T10:00:05Z",
}


class TestFromJson:
    """Escalation.from_json"""

    def test_the_contract(self) -> None:
        """The contract's message, field by field."""
        escalation = Escalation.from_json(json.dumps(MESSAGE))
        assert escalation.urgency == "high"
        assert escalation.transcript == [
            Turn(role="caller", text="I was charged twice", at=datetime(2026, 11, 22, 10, tzinfo=UTC))
        ]
        assert (escalation.revision, escalation.callback_number) == (1, None)

    def test_unknown_fields_are_kept(self) -> None:
        """A newer part may say more than we know; it is passed on, in the message and in its turns."""
        turn = {"role": "caller", "text": "hello", "at": "2026-11-22T10:00:00Z", "mood": "cross"}
        message = {**MESSAGE, "branch": {"city": "Oslo"}, "transcript": [turn]}
        again = json.loads(Escalation.from_json(json.dumps(message)).to_json())
        assert again["branch"] == {"city": "Oslo"}
        assert again["transcript"] == [turn]

    def test_round_trip(self) -> None:
        """What is written is what is read."""
        escalation = Escalation.from_json(json.dumps({**MESSAGE, "revision": 2, "callback_number": "+15550001111"}))
        assert Escalation.from_json(escalation.to_json()) == escalation

    def test_times_are_utc(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A time of another zone is turned into UTC, and one of no zone is UTC, wherever this machine stands."""
        with monkeypatch.context() as patch:
            patch.setenv("TZ", "Asia/Tokyo")
            time.tzset()
            for text in ("2026-11-22T11:00:05+01:00", "2026-11-22T10:00:05"):
                created_at = Escalation.from_json(json.dumps({**MESSAGE, "created_at": text})).created_at
                assert created_at == datetime(2026, 11, 22, 10, 0, 5, tzinfo=UTC)
                assert created_at.utcoffset() == timedelta(0)
        time.tzset()

    @pytest.mark.parametrize("body", ["", "hello", "null", "[]", "{}", '"a"', "{", b"\xff\xfe"])
    def test_not_json_or_not_an_object(self, body: str | bytes) -> None:
        """A body that is no JSON object at all."""
        with pytest.raises(NotAnEscalation):
            Escalation.from_json(body)

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("version", 2),
            ("escalation_id", ""),
            ("escalation_id", None),
            ("urgency", "extreme"),
            ("transcript", "hello"),
            ("created_at", "yesterday"),
            ("revision", 0),
        ],
    )
    def test_wrong_fields_are_named_without_their_values(self, field: str, value: object) -> None:
        """The error goes into a log, so it says where the fault is and not what the caller said."""
        body = json.dumps({**MESSAGE, field: value, "summary": "My secret is hunter2"})
        with pytest.raises(NotAnEscalation, match=f"^{field}: ") as error:
            Escalation.from_json(body)
        assert "hunter2" not in str(error.value)
        assert error.value.__context__ is None

    @pytest.mark.parametrize("field", [field for field in MESSAGE if field != "version"])
    def test_missing_fields_are_named(self, field: str) -> None:
        """Every field of the contract has to be there."""
        with pytest.raises(NotAnEscalation, match=f"^{field}: Field required$"):
            Escalation.from_json(json.dumps({name: value for name, value in MESSAGE.items() if name != field}))


def test_escalation_id_for() -> None:
    """The id follows from the call, so that two parts arrive at the same one, and two calls never do."""
    assert escalation_id_for("CA1") == escalation_id_for("CA1", 1)
    assert len({escalation_id_for("CA1"), escalation_id_for("CA1", 2), escalation_id_for("CA2")}) == 3
