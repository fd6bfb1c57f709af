"""Reports an ended call: one log line, a few metrics, and at DEBUG the transcript."""

from collections.abc import Iterable, Iterator

from aws_lambda_powertools.metrics import MetricUnit

from shared.calls.ending import CallEnd
from shared.logs import emit_timings, logger, metric
from worker.agents import Agent
from worker.conversation.call import Call
from worker.conversation.effects import HangUp
from worker.conversation.latency import Answer
from worker.tools import CallContext

_log = logger("worker")


def report(call: Call, context: CallContext, agent: Agent, ended: HangUp, seconds: float) -> None:
    """Reports a call that has ended after `seconds`."""
    metric("worker", "CallsFailed" if ended.ended is CallEnd.FAILED else "CallsEnded")
    metric("worker", "CallSeconds", seconds, MetricUnit.Seconds)
    if call.responses.first_audio_ms is not None:
        metric("worker", "FirstAudioMs", call.responses.first_audio_ms, MetricUnit.Milliseconds)
    emit_timings("worker", _timings(call.latency.answers), agent=agent.name, model=agent.model)
    _log.info(
        "call ended",
        call_sid=context.call_sid,
        agent=agent.name,
        ended=ended.ended.value,
        reason=ended.reason,
        seconds=round(seconds, 1),
        first_audio_ms=call.responses.first_audio_ms and round(call.responses.first_audio_ms),
        answers=len(call.latency.answers),
        barge_ins=call.caller.barge_ins,
        escalated=call.escalation_requests.escalated,
        tokens=call.usage.tokens(),
        cost_usd=call.usage.cost(agent.model),
    )
    turns = [turn.model_dump(mode="json") for turn in call.transcript.turns()]
    _log.debug("transcript", call_sid=context.call_sid, turns=turns)


def _timings(answers: Iterable[Answer]) -> Iterator[tuple[str, float]]:
    """The response times in ms by metric name. Answers that waited for a tool have metrics of their own."""
    for answer in answers:
        yield "ToolResponseSentMs" if answer.after_tool else "ResponseSentMs", answer.sent_ms
        if answer.heard_ms is not None:
            yield "ToolResponseHeardMs" if answer.after_tool else "ResponseHeardMs", answer.heard_ms
