"""The escalation message."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.calls.transcript import TranscriptEntry
from shared.escalations.request import REASON_LENGTH, SUMMARY_LENGTH, Escalation, NotAnEscalation, escalation_id_for
from shared.text.plain import plain

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
        """The message of version 1, field by field."""
        escalation = Escalation.from_json(json.dumps(MESSAGE))
        assert escalation.urgency == "high"
        assert escalation.transcript == [
            TranscriptEntry(role="caller", text="I was charged twice", at=datetime(2026, 11, 22, 10, tzinfo=UTC))
        ]
        assert (escalation.revision, escalation.callback_number) == (1, None)

    def test_unknown_fields_are_kept(self) -> None:
        """A newer part may send more fields; they are kept, in the message and in its transcript entries."""
        turn = {"role": "caller", "text": "hello", "at": "2026-11-22T10:00:00Z", "mood": "cross"}
        message = {**MESSAGE, "branch": {"city": "Oslo"}, "transcript": [turn]}
        again = json.loads(Escalation.from_json(json.dumps(message)).to_json())
        assert again["branch"] == {"city": "Oslo"}
        assert again["transcript"] == [turn]

    def test_round_trip(self) -> None:
        """A written message is read back unchanged."""
        escalation = Escalation.from_json(json.dumps({**MESSAGE, "revision": 2, "callback_number": "+15550001111"}))
        assert Escalation.from_json(escalation.to_json()) == escalation

    def test_times_are_utc(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A time with a zone is converted to UTC; one without is UTC, whatever the machine's time zone."""
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


ODD_TEXT = "\x00\x0b\x1b\x85\udc00x\ud800 \ufffe\uffff\u202e\u200b"
TEXTS = [name for name, value in MESSAGE.items() if isinstance(value, str) and name not in ("created_at", "urgency")]
any_text = st.text(st.characters(codec=None, exclude_categories=()), max_size=20).map(ODD_TEXT.__add__)


class TestPlain:
    """Characters that XML forbids and invisible ones are removed, wherever the escalation comes from."""

    @given(st.dictionaries(st.sampled_from([*TEXTS, "callback_number", "branch"]), any_text), any_text)
    def test_every_text(self, texts: dict[str, str], said: str) -> None:
        """From another part, the queue and the table alike; in unknown fields, too."""
        turn = {"role": said, "text": said, "at": "2026-11-22T10:00:00Z", "mood": [said]}
        message: dict[str, Any] = {**MESSAGE, **texts, "transcript": [turn]}
        made = Escalation.model_validate(message)
        assert Escalation.from_json(json.dumps(message)) == made
        assert Escalation.from_json(made.to_json()) == made
        for text in (*_texts_of(made.model_dump()),):
            assert plain(text) == text
            ElementTree.fromstring(f"<a>{escape(text)}</a>")  # noqa: S314 # our own XML
        single = made.model_dump(include={*TEXTS, "callback_number"}, exclude={"summary"})
        assert not [name for name, text in single.items() if "\n" in (text or "")]

    def test_a_lone_surrogate_is_accepted(self) -> None:
        """A program that cuts text by its length may write one into JSON."""
        assert Escalation.from_json(json.dumps({**MESSAGE, "reason": "lost \ud83d"})).reason == "lost"

    def test_deep_nesting(self) -> None:
        """It is refused as no escalation, without another error."""
        body = json.dumps(MESSAGE)[:-1] + ', "x": ' + "[" * 100_000 + "]" * 100_000 + "}"
        with pytest.raises(NotAnEscalation, match="nested too deeply"):
            Escalation.from_json(body)


def _texts_of(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from _texts_of([*value, *value.values()])
    elif isinstance(value, list):
        for each in value:
            yield from _texts_of(each)


class TestSizes:
    """Long text is not refused but cut, with a mark."""

    def test_what_is_too_long_is_cut(self) -> None:
        """The message fits into the queue (256 KiB) and the table (400 KB per item), whatever its characters."""
        turns = [
            {"role": "caller", "text": f"{n} " + "\U0001f600" * 60_000, "at": "2026-11-22T10:00:00Z"} for n in range(50)
        ]
        long = dict.fromkeys(("reason", "summary", "caller", "called", "language"), "\U0001f600" * 60_000)
        escalation = Escalation.model_validate(
            {**MESSAGE, **long, "transcript": turns, "callback_number": "5" * 60_000}
        )
        assert len(escalation.to_json().encode()) < 256 * 1024
        assert len(escalation.summary) == SUMMARY_LENGTH
        assert len(escalation.reason) == REASON_LENGTH
        assert escalation.summary.endswith("...")
        assert [turn.text[:2] for turn in escalation.transcript] == [f"{n}" for n in range(30, 50)]
        assert all(turn.text.endswith("...") for turn in escalation.transcript)

    def test_what_is_not_too_long_stays(self) -> None:
        """Text of exactly the allowed length is not cut."""
        reason, summary = "r" * REASON_LENGTH, "s" * SUMMARY_LENGTH
        escalation = Escalation.model_validate({**MESSAGE, "reason": reason, "summary": summary})
        assert (escalation.reason, escalation.summary) == (reason, summary)


def test_escalation_id_for() -> None:
    """Two parts compute the same id for a call, and two calls never have the same."""
    assert escalation_id_for("CA1") == escalation_id_for("CA1", 1)
    assert len({escalation_id_for("CA1"), escalation_id_for("CA1", 2), escalation_id_for("CA2")}) == 3
