"""Each check of the demo fails if its part of the call is missing, and only then."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from local.demo.checks import Evidence, TakeOver, check
from local.demo.story import BOOKING, HOURS, YES, Caller, Exchange
from local.demo.timings import timings
from local.model.wire import Recorded
from local.twilio import CallReport, EndedBy, Message
from local.twilio.report import ClearReceived, MediaReceived, Notice, StreamReport, Visit, WebhookRequest
from shared.escalations.record import EscalationRecord
from tests.escalations import escalation

NUMBER = "+15557654321"
HEARD = (
    "what are the opening hours of the restaurant",
    "i would like to book a room",
    "yes please",
)


def _sent() -> list[dict[str, Any]]:
    transcribed = "conversation.item.input_audio_transcription.completed"
    called = "response.function_call_arguments.done"
    said = "response.output_audio_transcript.done"
    return [
        *({"type": transcribed, "transcript": words} for words in HEARD),
        {"type": called, "name": "opening_hours", "call_id": "call_1", "arguments": "{}"},
        {"type": said, "transcript": "For the restaurant: 7 to 10."},
        {"type": called, "name": "escalate_to_human", "call_id": "call_2", "arguments": "{}"},
        {"type": said, "transcript": "I have asked a person to help you."},
        {"type": said, "transcript": "Maria Lopez is joining you now."},
    ]


def _received() -> list[dict[str, Any]]:
    outputs = {"call_1": "7 to 10", "call_2": json.dumps({"status": "sent"})}
    items = [{"type": "function_call_output", "call_id": call, "output": output} for call, output in outputs.items()]
    return [
        *({"type": "conversation.item.create", "item": item} for item in items),
        {"type": "conversation.item.truncate", "item_id": "item_1", "content_index": 0, "audio_end_ms": 1900},
    ]


def _stream() -> StreamReport:
    stream = StreamReport("MZ1", "wss://bellhop.example/media-stream", {}, started_at_ms=500)
    stream.received += [
        MediaReceived(600, 16_000, heard=16_000, first_heard_at_ms=600),
        MediaReceived(5_500, 48_000, heard=15_200, first_heard_at_ms=5_500),
        ClearReceived(7_600, dropped_ms=4_100),
        MediaReceived(20_000, 16_000, heard=16_000, first_heard_at_ms=20_000),
    ]
    return stream


def _record() -> EscalationRecord:
    at = [datetime(2026, 11, 22, 12, 0, second, tzinfo=UTC) for second in range(0, 50, 10)]
    due = at[-1] + timedelta(minutes=3)
    record = (
        EscalationRecord.queued(escalation(), at[0])
        .alerted(1, at[1], due)
        .accepted("maria", at[2], due, name="Maria Lopez")
    )
    record = record.ready_on("CA2", "maria", at[2], due).caller_joined_conference(at[3])
    return record.connected(at[3], due).call_ended(at[4], 10)


def _meeting() -> Visit:
    return Visit("CF1", "CA1-1", "somebody", joined_at_ms=21_000, started_at_ms=21_500, first_voice_at_ms=22_000)


def _taken() -> TakeOver:
    leg = CallReport("CA2", "+15550100200", "+1", visits=[_meeting()])
    return TakeOver(_record(), leg, tapped_at=datetime(2026, 11, 22, 12, 0, 20, tzinfo=UTC))


def _evidence() -> Evidence:
    """A call in which everything happened."""
    report = CallReport("CA1", NUMBER, "+15550100200", ended_by=EndedBy.CALLER, ended_at_ms=25_000)
    report.visits.append(_meeting())
    report.requests.append(WebhookRequest(0, "POST", "https://bellhop.example/incoming-call", {}, 200, 400))
    report.streams.append(_stream())
    began = {HOURS: 3_000.0, BOOKING: 7_500.0, YES: 12_000.0}
    exchanges = {words: Exchange(at, at + 1_000, at + 2_000) for words, at in began.items()}
    caller = Caller(lambda _who, _what: None, exchanges)
    sent, received = ([Recorded(event, 0.0) for event in events] for events in (_sent(), _received()))
    session: Any = SimpleNamespace(sent=sent, received=received, refusals=[])
    alerts = [Message(f"SM{to}", to, "+15550100200", f"call {NUMBER}", datetime.now(UTC)) for to in ("+1", "+2")]
    return Evidence(report, session, alerts, caller, frozenset({"+1", "+2"}), _taken())


def _failed(evidence: Evidence) -> list[str]:
    return [each.what for each in check(evidence) if each.problem]


def test_a_whole_call_passes_every_check() -> None:
    """And its timings are shown."""
    assert _failed(_evidence()) == []
    assert ("barge-in: answer heard → length told to the model", "1,900 ms → 1,900 ms") in timings(_evidence())
    assert ("stream: start → first audio at the phone", "100 ms") in timings(_evidence())
    assert ("escalation: alerted → accepted by Maria Lopez", "10.0 s") in timings(_evidence())
    assert ("take-over: tap → caller and person connected", "10.0 s") in timings(_evidence())


def _forget(kind: str, **fields: str) -> Callable[[Evidence], None]:
    def forget(evidence: Evidence) -> None:
        for log in (evidence.session.sent, evidence.session.received):
            log[:] = [r for r in log if r.event["type"] != kind or not fields.items() <= r.event.items()]

    return forget


def _cut_the_last_words(evidence: Evidence) -> None:
    evidence.report.streams[0].media[-1].heard = 8_000


def _record_of_ben() -> EscalationRecord:
    at = datetime(2026, 11, 22, 13, tzinfo=UTC)
    return EscalationRecord.queued(escalation(), at).resolved("ben", at, "", name="Ben Okafor")


ANNOUNCED = "the agent said who joins, and was heard to the end"
SPOILT: list[tuple[str, Callable[[Evidence], object]]] = [
    ("Twilio was connected to the agent", lambda call: call.report.streams.append(StreamReport("MZ2", "", {}))),
    ("the greeting was heard", lambda call: setattr(call.report.streams[0].media[0], "heard", 0)),
    ("the model understood the caller from the audio", lambda call: call.session.sent.pop(0)),
    (
        "the agent looked the opening hours up and said them",
        _forget("response.output_audio_transcript.done", transcript="For the restaurant: 7 to 10."),
    ),
    (
        "the agent looked the opening hours up and said them",
        _forget("response.function_call_arguments.done", name="opening_hours"),
    ),
    ("the caller interrupted the agent, which stopped at once", _forget("conversation.item.truncate")),
    ("the caller interrupted the agent, which stopped at once", lambda call: call.report.streams[0].received.pop(2)),
    (
        "the agent asked for a person, and told the caller",
        _forget("response.function_call_arguments.done", name="escalate_to_human"),
    ),
    (
        "the agent asked for a person, and told the caller",
        _forget("response.output_audio_transcript.done", transcript="I have asked a person to help you."),
    ),
    ("everybody on call got an SMS", lambda call: call.alerts.pop()),
    (ANNOUNCED, _cut_the_last_words),
    (ANNOUNCED, lambda call: setattr(call.report, "ended_by", EndedBy.APPLICATION)),
    (ANNOUNCED, lambda call: call.report.said.append("I'm sorry ...")),
    (ANNOUNCED, _forget("response.output_audio_transcript.done", transcript="Maria Lopez is joining you now.")),
    ("the caller and the person heard each other", lambda call: call.report.visits.clear()),
    ("the caller and the person heard each other", lambda call: call.taken.leg.visits.clear()),
    (
        "the caller and the person heard each other",
        lambda call: setattr(call.taken.leg.visits[0], "first_voice_at_ms", None),
    ),
    (
        "that person accepted and resolved the escalation",
        lambda call: setattr(call.taken, "record", _record_of_ben()),
    ),
    (
        "neither Twilio nor the model reported an error",
        lambda call: call.report.warnings.append(Notice(1, 31951, "invalid message")),
    ),
]


@pytest.mark.parametrize(("what", "spoil"), SPOILT)
def test_one_missing_part_fails_one_check(what: str, spoil: Callable[[Evidence], object]) -> None:
    """When one part of the call is missing, only its check fails."""
    evidence = _evidence()
    spoil(evidence)
    assert _failed(evidence) == [what]


def test_a_call_that_broke_off_can_be_checked() -> None:
    """Checks and timings work without the missing events."""
    evidence = _evidence()
    evidence.caller.exchanges.clear()
    evidence.session.sent.clear()
    evidence.session.received.clear()
    evidence.alerts.clear()
    evidence.report.streams[0].received.clear()
    assert "the caller interrupted the agent, which stopped at once" in _failed(evidence)
    assert ("stream: start → first audio at the phone", "-") in timings(evidence)
