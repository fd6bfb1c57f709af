"""The effect of a fault on its calls: dropped calls, silences, history kept, alerts sent."""

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import reduce
from itertools import pairwise
from operator import add
from typing import Final

from local.chaos.caller import ChaosCaller
from local.chaos.memory import turns_told
from local.chaos.scenarios import Scenario
from local.chaos.system import ChaosSystem
from local.model import Session
from local.twilio import EndedBy
from local.twilio.report import MediaReceived
from worker.conversation.hold_tone import HOLD_TONE

_HOLD_TONE_BYTES: Final = len(base64.b64decode(bytes(HOLD_TONE)))


@dataclass(frozen=True)
class Outcome:
    """A scenario's row in the table; any `problems` make it a failure. Times are in seconds.

    `silences` last until the agent spoke again: in an interrupted story, or between two workers. `answers` are the
    waits of callers who spoke after the fault, from the end of their word to the agent's voice.
    """

    scenario: Scenario
    calls: int
    up: int  # calls that went on to their normal end
    silences: tuple[float, ...]
    answers: tuple[float, ...]
    said: int  # transcript entries before a session was lost, except in its last moment
    remembered: int  # of these, told to the next session
    promised: int  # callers whom the agent told that a person was asked
    alerted: int
    lost: int
    doubled: int
    problems: tuple[str, ...]


def summed(outcomes: Sequence[Outcome]) -> Outcome:
    """Adds outcomes up; the sum has the first one's scenario."""
    measures = [field.name for field in fields(Outcome) if field.name != "scenario"]
    sums = {name: reduce(add, (getattr(each, name) for each in outcomes)) for name in measures}
    return replace(outcomes[0], **sums)


def outcome(scenario: Scenario, system: ChaosSystem, callers: Sequence[ChaosCaller]) -> Outcome:
    """Sums up a scenario from the reports of its calls and from the alerts sent."""
    problems = [f"{caller.phone}: {why}" for caller in callers if (why := _problem(caller))]
    well = len(callers) - len(problems)
    turns = [counts for caller in callers for counts in turns_told(system.sessions(caller))]
    told = [system.alerts(caller) for caller in callers]
    lost = [caller for caller in callers if caller.asked and not any(system.alerts(caller).values())]
    doubled = [caller for caller in callers if any(count > 1 for count in system.alerts(caller).values())]
    problems += [f"{caller.phone}: no alert was sent" for caller in lost]
    problems += [f"{caller.phone}: a person was alerted twice" for caller in doubled]
    return Outcome(
        scenario=scenario,
        calls=len(callers),
        up=well,
        silences=tuple(_silences(system, callers)),
        answers=tuple(_answers(callers)),
        said=sum(said for said, _ in turns),
        remembered=sum(remembered for _, remembered in turns),
        promised=sum(caller.promised for caller in callers),
        alerted=sum(any(counts.values()) for counts in told),
        lost=len(lost),
        doubled=len(doubled),
        problems=tuple(problems),
    )


def _problem(caller: ChaosCaller) -> str:
    """What went wrong with a call; empty if nothing did."""
    report = caller.report
    if caller.complaint or report is None:
        return caller.complaint or "the call left no report"
    if any("sorry" in said.lower() for said in report.said):
        return f"dropped with {report.said[-1]!r} after {len(report.streams)} streams"
    if not caller.served or report.ended_by is not EndedBy.APPLICATION:
        return f"ended by {report.ended_by} too early"
    return ""


def _silences(system: ChaosSystem, callers: Sequence[ChaosCaller]) -> list[float]:
    # If calls moved to another worker, the calls on the other workers were not affected.
    moved = [gap for caller in callers for gap in _between_workers(caller)]
    return moved or [gap for caller in callers if caller.hears_story for gap in _in_the_story(system, caller)]


def _answers(callers: Sequence[ChaosCaller]) -> list[float]:
    waits = [caller.waited_ms for caller in callers if not caller.hears_story]
    return [waited / 1000 for waited in waits if waited is not None]


def _between_workers(caller: ChaosCaller) -> Iterator[float]:
    """From the end of each stream until the agent's first audio on the next one, whose playback queue is empty."""
    for before, after in pairwise(caller.report.streams if caller.report else []):
        back = next((entry.at_ms for entry in _voice(after.media)), None)
        if back is not None and before.ended_at_ms is not None:
            yield (back - before.ended_at_ms) / 1000


def _in_the_story(system: ChaosSystem, caller: ChaosCaller) -> Iterator[float]:
    """From the end of the story's last audio that the caller heard after the fault until the agent's next voice.

    The hold tone is not a voice, so it does not end the silence.
    """
    media = [entry for stream in caller.report.streams for entry in stream.media] if caller.report else []
    made_at = _voice_made_after(system.sessions(caller), caller.struck_at)
    since = caller.struck_at_ms + (made_at - caller.struck_at) * 1000
    if (back := _heard(media, since)) is not None:
        before = [entry for entry in _voice(media) if entry.at_ms < since]
        ends = [entry.first_heard_at_ms + entry.heard_ms for entry in before if entry.first_heard_at_ms is not None]
        yield max(0.0, back - max(caller.struck_at_ms, *ends)) / 1000


def _heard(media: Sequence[MediaReceived], since_ms: float) -> float | None:
    """When the caller heard the first of the agent's voice that arrived after `since_ms`."""
    return next((entry.first_heard_at_ms for entry in _voice(media) if entry.at_ms >= since_ms), None)


def _voice(media: Sequence[MediaReceived]) -> Iterator[MediaReceived]:
    return (entry for entry in media if entry.size != _HOLD_TONE_BYTES and entry.first_heard_at_ms is not None)


def _voice_made_after(sessions: Sequence[Session], struck_at: float) -> float:
    """When the model next sent audio after the fault, in a new session if there is one."""
    newer = [each for each in sessions if each.sent and each.sent[0].at >= struck_at] or sessions
    deltas = [sent.at for each in newer for sent in each.sent if sent.event["type"] == "response.output_audio.delta"]
    return min((at for at in deltas if at >= struck_at), default=struck_at)
