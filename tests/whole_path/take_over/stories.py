"""A caller who needs a person, and what becomes of it: many such stories go on at the same time, on one stage."""

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
    """The model of any call: it asks for a person when it hears a word, and has one for whatever happens then."""

    async def plan(self, turn: Turn) -> Sequence[Output]:
        """One word, or the tool."""
        return [ASKED] if turn.heard and turn.callable_tools else [Say("Yes.", ms=300)]


async def told(system: System, words: str) -> None:
    """Waits until the model of one of the calls was told something with these words in it."""

    def is_told() -> bool:
        events = [received.event for session in system.surroundings.model.sessions for received in session.received]
        return any(words in json.dumps(event) for event in events if event["type"] != "input_audio_buffer.append")

    await until(is_told, words)


class Story:
    """One caller's. Inside of its context the caller is on the line, until `hang_up`."""

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
        """The story of a caller whom the agent let go long ago: what it asked for is in the queue."""
        story = cls(system, caller)
        sent = escalation(caller=caller, language=language)
        story._escalation_id = sent.escalation_id
        system.enqueue(sent.to_json())
        return story

    @property
    def call_sid(self) -> str:
        """The caller's call."""
        return self._escalation_id.removesuffix("-1")

    @property
    def report(self) -> CallReport:
        """The caller's call so far."""
        return next(report for report in self.twilio.reports if report.call_sid == self.call_sid)

    @property
    def escalation_id(self) -> str:
        """What the table calls it."""
        return self._escalation_id

    async def hang_up(self) -> CallReport:
        """The caller hangs up, and it is known that they did."""
        self._leaves.set()
        report = await self._call
        await until(lambda: bool(self.system.how_it_ended(report)), "the end of the call")
        return report

    async def record(self, fits: Callable[[EscalationRecord], bool]) -> EscalationRecord:
        """The escalation, once it has come so far. Whatever it comes by, it is sound."""
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
            raise AssertionError(f"{self.caller}: it never came so far: {there and there.history}") from None

    async def is_(self, status: Status) -> EscalationRecord:
        """The escalation once it has this status."""
        return await self.record(lambda record: record.status is status)

    async def link(self, person: OnCall) -> str:
        """The link in the alert that this person got about this caller."""

        def mine() -> list[str]:
            return [m.body for m in self.twilio.messages if m.to == person.phone and self.caller in m.body]

        await until(lambda: bool(mine()), f"the alert to {person.name}")
        found = LINK.search(mine()[-1])
        assert found, "the alert ends with a link"
        return found[0]

    async def taps(self, person: OnCall) -> Page:
        """This person opens the link and taps the big button; gives the page that follows."""
        async with self.browser() as browser:
            return await browser.tap(await browser.open(await self.link(person)))

    def browser(self) -> Browser:
        """A browser that finds this stack."""
        return Browser(self.twilio.exchange.address_of)

    async def leg(self, record: EscalationRecord) -> CallReport:
        """The call to the person who had pressed 1, once it is over."""
        [report] = [report for report in self.twilio.reports if report.call_sid == record.leg]
        await until(lambda: report.ended_at_ms is not None, "the end of the person's call")
        return report

    async def legs_to(self, person: OnCall, count: int) -> list[CallReport]:
        """The calls to this person about this caller, once so many are over."""

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
    """Lives through all of them at the same time; the first that goes wrong ends the others."""
    async with asyncio.TaskGroup() as tasks:
        for story in stories:
            tasks.create_task(story)


def came_to(record: EscalationRecord) -> list[Status]:
    """The statuses that it went through, each once however many steps were made in it."""
    return [status for status, _ in groupby(step.status for step in record.history)]


def assert_sound(record: EscalationRecord) -> None:
    """It is never without a next step, and nobody got it while another person held it."""
    assert (record.due_at is None) is (record.status in (Status.CALLBACK, Status.RESOLVED))
    holder: str | None = None
    for step in record.history:
        if step.status in (Status.ACCEPTED, Status.CONNECTED):
            assert holder in (None, step.person) or step.person is None, record.history
            holder = step.person or holder
        else:
            holder = None


async def until(happened: Callable[[], bool], what: str) -> None:
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not happened():
                await asyncio.sleep(POLL_INTERVAL_S)
    except TimeoutError:
        raise AssertionError(f"this never came: {what}") from None
