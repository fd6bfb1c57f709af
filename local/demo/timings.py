"""How long things took in the demo's call, as the caller and the people on call felt it."""

import time
from collections.abc import Iterator

from local.demo.checks import Evidence
from local.demo.story import BOOKING, HOURS, YES
from local.demo.take_over import take_over_times


def timings(evidence: Evidence) -> list[tuple[str, str]]:
    """What was measured, and its value in words."""
    return [
        ("webhook: asked → TwiML, a cold start included", _ms(evidence.report.requests[0].took_ms)),
        ("stream: start → first audio at the phone", _ms(evidence.report.first_audio_ms)),
        *_answers(evidence),
        ("barge-in: first word → the agent is quiet", _ms(_barge_in(evidence))),
        ("barge-in: heard of the answer → told to the model", _cut(evidence)),
        ("alert: the model calls the tool → Twilio has an SMS", _ms(_alert(evidence))),
        *take_over_times(evidence.taken, evidence.report),
        ("call: dialled → ended", f"{(evidence.report.ended_at_ms or 0) / 1000:.1f} s"),
    ]


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f} ms"


def _answers(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """The silence that the caller heard, the 500 ms in which the model waits for more words included."""
    for words, what in ((HOURS, "with a tool"), (BOOKING, "without a tool"), (YES, "with an escalation")):
        exchange = evidence.guest.exchanges.get(words)
        if exchange and exchange.answered_ms is not None:
            yield f"answer {what}: last word → first sound", _ms(exchange.answered_ms - exchange.ended_ms)


def _barge_in(evidence: Evidence) -> float | None:
    exchange = evidence.guest.exchanges.get(BOOKING)
    clears = [clear.at_ms for stream in evidence.report.streams for clear in stream.clears]
    return clears[0] - exchange.began_ms if exchange and clears else None


def _cut(evidence: Evidence) -> str:
    cuts = evidence.received("conversation.item.truncate")
    clears = [clear for stream in evidence.report.streams for clear in stream.clears]
    if not cuts or not clears:
        return "-"
    [stream] = evidence.report.streams
    before = [entry for entry in stream.media if entry.at_ms <= clears[0].at_ms]
    # Items are apart by the caller's turns: the answer is all that came after the question.
    answer = [entry for entry in before if entry.at_ms > evidence.guest.exchanges[HOURS].ended_ms]
    return f"{sum(entry.heard_ms for entry in answer):,.0f} ms → {cuts[0]['audio_end_ms']:,} ms"


def _alert(evidence: Evidence) -> float | None:
    asked = [
        record.at
        for record in evidence.session.sent
        if record.event["type"] == "response.function_call_arguments.done"
        and record.event["name"] == "escalate_to_human"
    ]
    if not asked or not evidence.alerts:
        return None
    accepted = evidence.alerts[0].sent_at.timestamp() - (time.time() - time.monotonic())
    return (accepted - asked[0]) * 1000
