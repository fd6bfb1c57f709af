"""Timings of the demo's call, as the caller and the people on call experienced it."""

import time
from collections.abc import Iterator
from itertools import pairwise

from local.demo.checks import Evidence, TakeOver
from local.demo.story import BOOKING, HOURS, YES
from local.twilio import CallReport
from shared.escalations.record import Status


def timings(evidence: Evidence) -> list[tuple[str, str]]:
    """Each measurement's name and its value as text."""
    return [
        ("webhook: request → TwiML, with a cold start", _ms(evidence.report.requests[0].took_ms)),
        ("stream: start → first audio at the phone", _ms(evidence.report.first_audio_ms)),
        *_answers(evidence),
        ("barge-in: first word → agent silent", _ms(_barge_in(evidence))),
        ("barge-in: answer heard → length told to the model", _cut(evidence)),
        ("alert: the model calls the tool → Twilio has an SMS", _ms(_alert(evidence))),
        *_take_over(evidence.taken, evidence.report),
        ("call: dialled → ended", f"{(evidence.report.ended_at_ms or 0) / 1000:.1f} s"),
    ]


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f} ms"


def _answers(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """The silence that the caller heard before each answer, with the model's 500 ms of end-of-speech detection."""
    for words, what in ((HOURS, "with a tool"), (BOOKING, "without a tool"), (YES, "with an escalation")):
        exchange = evidence.caller.exchanges.get(words)
        if exchange and exchange.answered_ms is not None:
            yield f"answer {what}: last word → first sound", _ms(exchange.answered_ms - exchange.ended_ms)


def _barge_in(evidence: Evidence) -> float | None:
    exchange = evidence.caller.exchanges.get(BOOKING)
    clears = [clear.at_ms for stream in evidence.report.streams for clear in stream.clears]
    return clears[0] - exchange.began_ms if exchange and clears else None


def _cut(evidence: Evidence) -> str:
    cuts = evidence.received("conversation.item.truncate")
    clears = [clear for stream in evidence.report.streams for clear in stream.clears]
    if not cuts or not clears:
        return "-"
    [stream] = evidence.report.streams
    before = [entry for entry in stream.media if entry.at_ms <= clears[0].at_ms]
    # The answer is all audio after the question, since the caller's turn separates it from earlier items.
    answer = [entry for entry in before if entry.at_ms > evidence.caller.exchanges[HOURS].ended_ms]
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


def _take_over(taken: TakeOver, caller: CallReport) -> Iterator[tuple[str, str]]:
    """The steps of the take-over: who did what, and how long each took."""
    for before, step in pairwise(taken.milestones):
        who = f" by {step.name}" if step.name else ""
        took = (step.at - before.at).total_seconds()
        yield f"escalation: {before.status} → {step.status}{who}", f"{took:.1f} s"
    connected = taken.record.since(Status.CONNECTED)
    if connected is not None:
        yield "take-over: tap → caller and person connected", f"{(connected - taken.tapped_at).total_seconds():.1f} s"
    if caller.visits and caller.streams:
        silence = caller.longest_silence_ms(caller.streams[-1].last_audio_ms, caller.visits[-1].first_voice_at_ms)
        yield "take-over: longest silence between agent and person", f"{silence:,.0f} ms"
