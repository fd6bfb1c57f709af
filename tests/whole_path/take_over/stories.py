"""Stories: a caller who needs a person, and the escalation that follows. Many run at the same time on one stack."""

import asyncio
import json
import re
from collections.abc import Callable, Coroutine, Sequence
from datetime import UTC, datetime
from itertools import groupby
from types import TracebackType
from typing import Any, Final, Self

from local.audio.pitch import say
from local.demo.browser import Browser, Page
from local.model import CallTool, Say
from local.model.brain import Output, Turn
from local.stack.simulation import NUMBER
from local.twilio import CallReport
from local.twilio.person import HangUp, Listen
from local.twilio.person import Say as Speak
from shared.escalations.record import EscalationRecord, Status
from tests.whole_path.acts import Do
from tests.whole_path.conftest import System, escalation
from tests.whole_path.take_over.people import OnCall

PATIENCE_S: Final = 45.0
POLL_INTERVAL_S: Final = 0.1
ASKED: Final = CallTool("escalate_to_human", {"reason": "lost key", "summary": "Cannot get in.", "urgency": "high"})
LINK: Final = re.compile(r"https://\S+$")


class Agent:
    """The model of every call: asks for a person when the caller speaks, and says one word otherwise."""

    async def plan(self, turn: Turn) -> Sequence[Output]:
        """A word, or the call of the tool."""
        return [ASKED] if turn.heard and turn.callable_tools else [Say("Yes.", ms=300)]


async def told(system: System, words: str) -> None:
    """Waits until the worker has sent one of the models something that contains these words."""

    def is_told() -> bool:
        events = [received.event for session in system.surroundings.model.sessions for received in session.received]
        return any(words in json.dumps(event) for event in events if event["type"] != "input_audio_buffer.append")

    await until(is_told, words)


class Story:
    """One caller's story. The caller is on the line inside its context, until `hang_up`."""

    def __init__(self, system: System, caller: str, called: str = NUMBER) -> None:
        self.system, self.caller = system, caller
        self.twilio = system.surroundings.twilio
        self._called = called
        self._leaves = asyncio.Event()
        self._began = datetime.now(UTC)
        self._escalation_id = ""
        self._store = system.escalations

    async def __aenter__(self) -> Self:
        acts = (Listen(500), Speak(say(440)), Do(self._leaves.wait), HangUp())
        self._call = asyncio.create_task(self.system.call(*acts, from_=self.caller, to=self._called))
        await until(lambda: any(report.from_ == self.caller for report in self.twilio.reports), "the call")
        report = next(report for report in self.twilio.reports if report.from_ == self.caller)
        self._escalation_id = f"{report.call_sid}-1"
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._leaves.set()
        await asyncio.gather(self._call, return_exceptions=error is not None)

    @classmethod
    def without_a_call(cls, system: System, caller: str, language: str = "en") -> Self:
        """The story of a caller whose call is over: only their escalation is put into the queue."""
        story = cls(system, caller)
        sent = escalation(caller=caller, language=language)
        story._escalation_id = sent.escalation_id
        system.enqueue(sent.to_json())
        return story

    @property
    def call_sid(self) -> str:
        """The sid of the caller's call."""
        return self._escalation_id.removesuffix("-1")

    @property
    def report(self) -> CallReport:
        """The report of the caller's call so far."""
        return next(report for report in self.twilio.reports if report.call_sid == self.call_sid)

    @property
    def escalation_id(self) -> str:
        """The id of the escalation record."""
        return self._escalation_id

    async def hang_up(self) -> CallReport:
        """Makes the caller hang up, and waits until the worker has recorded it."""
        self._leaves.set()
        report = await self._call
        await until(lambda: bool(self.system.how_it_ended(report)), "the end of the call")
        return report

    async def record(self, fits: Callable[[EscalationRecord], bool]) -> EscalationRecord:
        """Waits for an escalation record that `fits`, and returns it; every version on the way must be sound."""
        there: EscalationRecord | None = None
        try:
            async with asyncio.timeout(PATIENCE_S):
                while True:
                    there = await asyncio.to_thread(self._store.get, self._escalation_id)
                    if there is not None:
                        assert_sound(there)
                        if fits(there):
                            return there
                    await asyncio.sleep(POLL_INTERVAL_S)
        except TimeoutError:
            raise AssertionError(f"{self.caller}: the expected record never came: {there and there.history}") from None

    async def is_(self, status: Status) -> EscalationRecord:
        """Waits for the escalation record to have this status."""
        return await self.record(lambda record: record.status is status)

    async def link(self, person: OnCall) -> str:
        """Waits for this person's alert about this caller, and returns its link."""

        def mine() -> list[str]:
            return [m.body for m in self.twilio.messages if m.to == person.phone and self.caller in m.body]

        await until(lambda: bool(mine()), f"the alert to {person.name}")
        found = LINK.search(mine()[-1])
        assert found, "the alert ends with a link"
        return found[0]

    async def taps(self, person: OnCall) -> Page:
        """Makes this person open the link and tap the big button; returns the next page."""
        async with self.browser() as browser:
            return await browser.tap(await browser.open(await self.link(person)))

    def browser(self) -> Browser:
        """A browser that reaches this stack."""
        return Browser(self.twilio.exchange.address_of)

    async def leg(self, record: EscalationRecord) -> CallReport:
        """Waits for the end of the call to the person who pressed 1, and returns its report."""
        [report] = [report for report in self.twilio.reports if report.call_sid == record.leg]
        await until(lambda: report.ended_at_ms is not None, "the end of the person's call")
        return report

    async def legs_to(self, person: OnCall, count: int) -> list[CallReport]:
        """Waits until `count` calls to this person about this caller are over, and returns their reports."""

        def over() -> list[CallReport]:
            return [leg for leg in self.rung(person) if leg.ended_at_ms is not None]

        await until(lambda: len(over()) >= count, f"{count} calls to {person.name}")
        return over()

    @property
    def calls_back(self) -> list[CallReport]:
        """The calls to the caller."""
        return [report for report in self.twilio.reports if report.to == self.caller]

    def rung(self, person: OnCall) -> list[CallReport]:
        """The calls to this person since the story began."""
        return [
            report for report in self.twilio.reports if report.to == person.phone and report.began_at >= self._began
        ]


async def together(*stories: Coroutine[Any, Any, None]) -> None:
    """Runs all stories at the same time; the first failure ends the others."""
    async with asyncio.TaskGroup() as tasks:
        for story in stories:
            tasks.create_task(story)


def came_to(record: EscalationRecord) -> list[Status]:
    """The statuses of the record's history, without repetitions."""
    return [status for status, _ in groupby(step.status for step in record.history)]


def assert_sound(record: EscalationRecord) -> None:
    """Checks that an open record has a reminder, and that it never had two assignees."""
    assert (record.due_at is None) is (record.status in (Status.CALLBACK, Status.RESOLVED))
    assignee: str | None = None
    for step in record.history:
        if step.status in (Status.ACCEPTED, Status.CONNECTED):
            assert assignee in (None, step.person) or step.person is None, record.history
            assignee = step.person or assignee
        else:
            assignee = None


async def until(happened: Callable[[], bool], what: str) -> None:
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not happened():
                await asyncio.sleep(POLL_INTERVAL_S)
    except TimeoutError:
        raise AssertionError(f"this never happened: {what}") from None
