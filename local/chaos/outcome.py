"""What a fault did to its calls: who was dropped, how long nothing was heard, what was remembered, who was told."""

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
    """A scenario's line in the table; `problems` make it a failure. Times are in seconds.

    `silences` are those that callers heard before the agent was back, in a story that was broken off or between two
    workers. `answers` are the waits of those who spoke just then, from the end of their word to the agent's voice.
    """

    scenario: Scenario
    calls: int
    up: int  # went on to their proper end
    silences: tuple[float, ...]
    answers: tuple[float, ...]
    said: int  # turns before a session was lost, up to its last moment
    remembered: int  # of these, told to the session after it
    promised: int  # callers who heard that a person was told
    alerted: int
    lost: int
    doubled: int
    problems: tuple[str, ...]


def summed(outcomes: Sequence[Outcome]) -> Outcome:
    """Several as one, which goes by the name of the first."""
    measures = [field.name for field in fields(Outcome) if field.name != "scenario"]
    sums = {name: reduce(add, (getattr(each, name) for each in outcomes)) for name in measures}
    return replace(outcomes[0], **sums)


def outcome(scenario: Scenario, system: ChaosSystem, guests: Sequence[ChaosCaller]) -> Outcome:
    """Looks at what the calls left behind."""
    problems = [f"{guest.phone}: {why}" for guest in guests if (why := _problem(guest))]
    well = len(guests) - len(problems)
    turns = [counts for guest in guests for counts in turns_told(system.sessions(guest))]
    told = [system.alerts(guest) for guest in guests]
    lost = [guest for guest in guests if guest.asked and not any(system.alerts(guest).values())]
    doubled = [guest for guest in guests if any(count > 1 for count in system.alerts(guest).values())]
    problems += [f"{guest.phone}: nobody was told" for guest in lost]
    problems += [f"{guest.phone}: somebody was told twice" for guest in doubled]
    return Outcome(
        scenario=scenario,
        calls=len(guests),
        up=well,
        silences=tuple(_silences(system, guests)),
        answers=tuple(_answers(guests)),
        said=sum(said for said, _ in turns),
        remembered=sum(remembered for _, remembered in turns),
        promised=sum(guest.promised for guest in guests),
        alerted=sum(any(counts.values()) for counts in told),
        lost=len(lost),
        doubled=len(doubled),
        problems=tuple(problems),
    )


def _problem(guest: ChaosCaller) -> str:
    """What became of a call that should not have."""
    report = guest.report
    if guest.complaint or report is None:
        return guest.complaint or "the call came to nothing"
    if any("sorry" in said.lower() for said in report.said):
        return f"dropped with {report.said[-1]!r} after {len(report.streams)} streams"
    if not guest.served or report.ended_by is not EndedBy.APPLICATION:
        return f"ended by {report.ended_by} before its time"
    return ""


def _silences(system: ChaosSystem, guests: Sequence[ChaosCaller]) -> list[float]:
    # Callers of a worker that nothing happened to have nothing to tell.
    moved = [gap for guest in guests for gap in _between_workers(guest)]
    return moved or [gap for guest in guests if guest.hears_story for gap in _in_the_story(system, guest)]


def _answers(guests: Sequence[ChaosCaller]) -> list[float]:
    waits = [guest.waited_ms for guest in guests if not guest.hears_story]
    return [waited / 1000 for waited in waits if waited is not None]


def _between_workers(guest: ChaosCaller) -> Iterator[float]:
    """From the end of each stream until the agent's voice came on the next, where nothing is queued before it."""
    for before, after in pairwise(guest.report.streams if guest.report else []):
        back = next((entry.at_ms for entry in _voice(after.media)), None)
        if back is not None and before.ended_at_ms is not None:
            yield (back - before.ended_at_ms) / 1000


def _in_the_story(system: ChaosSystem, guest: ChaosCaller) -> Iterator[float]:
    """From the end of what was heard of a story, once it was struck, until more of the agent's voice was.

    A hold tone in between is no voice, so it ends no silence.
    """
    media = [entry for stream in guest.report.streams for entry in stream.media] if guest.report else []
    made_at = _voice_made_after(system.sessions(guest), guest.struck_at)
    since = guest.struck_at_ms + (made_at - guest.struck_at) * 1000
    if (back := _heard(media, since)) is not None:
        before = [entry for entry in _voice(media) if entry.at_ms < since]
        ends = [entry.first_heard_at_ms + entry.heard_ms for entry in before if entry.first_heard_at_ms is not None]
        yield max(0.0, back - max(guest.struck_at_ms, *ends)) / 1000


def _heard(media: Sequence[MediaReceived], since_ms: float) -> float | None:
    """When the first of the agent's voice that came after a moment was heard."""
    return next((entry.first_heard_at_ms for entry in _voice(media) if entry.at_ms >= since_ms), None)


def _voice(media: Sequence[MediaReceived]) -> Iterator[MediaReceived]:
    return (entry for entry in media if entry.size != _HOLD_TONE_BYTES and entry.first_heard_at_ms is not None)


def _voice_made_after(sessions: Sequence[Session], struck_at: float) -> float:
    """When the model, in a new session if there is one, next sent audio."""
    newer = [each for each in sessions if each.sent and each.sent[0].at >= struck_at] or sessions
    deltas = [sent.at for each in newer for sent in each.sent if sent.event["type"] == "response.output_audio.delta"]
    return min((at for at in deltas if at >= struck_at), default=struck_at)
