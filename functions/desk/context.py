"""A visit to the desk: who comes, to which escalation, and what the desk works with."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache, cached_property
from typing import TYPE_CHECKING, Self, TypeVar
from urllib.parse import urlsplit

from functions.desk.settings import DeskSettings, settings
from shared.aws_clients import client
from shared.calls.ending import CallEnd
from shared.calls.store import CallStore, StoreUnavailable
from shared.escalations.caller_return import CallerReturn, is_transferred
from shared.escalations.metrics import record_transition
from shared.escalations.record import EscalationRecord, Event
from shared.escalations.reminders import ReminderNotSent, ReminderQueue
from shared.escalations.request import CALL_FAILED
from shared.escalations.store import EscalationStore, NoSuchEscalation
from shared.logs import logger, metric
from shared.on_call.link import DeskLink, sign, verify
from shared.on_call.roster import Person, Roster, RosterError
from shared.on_call.store import NobodyOnCall, RosterStore

if TYPE_CHECKING:
    from shared.twilio.rest import Telephony

log = logger("desk")

# Twilio waits 15 s for an answer, a person on the phone in silence.
ANSWERED_WITHIN_S = 11.0
# These three leave the caller with the agent, or on the way to a person.
ON_THE_LINE = (None, CallEnd.MOVED, CallEnd.TRANSFERRED)

Result = TypeVar("Result")


class NotOnCall(Exception):
    """The link's person is not, or no longer, among the people on call."""


async def with_deadline(work: Callable[[], Result]) -> Result:
    """What `work` returns, done in a thread; raises TimeoutError when it takes longer than anybody waits."""
    return await asyncio.wait_for(asyncio.to_thread(work), ANSWERED_WITHIN_S)


class Desk:
    """The table, the ladder's queue and Twilio, as this process knows them. Blocking; may be used from many threads."""

    def __init__(self, settings: DeskSettings) -> None:
        self.settings = settings
        self.calls = CallStore(settings.table_name, client("dynamodb"))
        self.escalations = EscalationStore(settings.table_name, client("dynamodb"), changed=self._changed)
        self._rosters = RosterStore(settings.table_name, client("dynamodb"), "desk")
        self._policy = ReminderQueue(settings.reminder_queue_url, client("sqs"))
        self.caller_return = CallerReturn("desk", settings.public_url, self.calls, lambda: self.telephony)

    @cached_property
    def telephony(self) -> "Telephony":
        """Twilio's REST API, which takes a while to import and which most requests can do without."""
        from shared.twilio.rest import Telephony

        given = self.settings
        return Telephony(given.twilio_account_sid, given.twilio_auth_token, api_url=given.twilio_api_url)

    def roster(self) -> Roster:
        """The people on call; raises NobodyOnCall, RosterError and StoreUnavailable."""
        return self._rosters.roster(self.settings)

    def name_of(self, person: str) -> str:
        """What the roster calls somebody; their id, if it does not tell."""
        try:
            there = self.roster().person(person)
        except (NobodyOnCall, RosterError, StoreUnavailable):
            log.exception("the roster does not tell a name", extra={"person": person})
            there = None
        return there.name if there else person

    def url(self, token: str, under: str = "") -> str:
        """Where a link leads, as Twilio is told."""
        return f"{self.settings.public_url}/desk/{token}{under}"

    def caller_is_gone(self, record: EscalationRecord) -> bool:
        """Whether the caller is on the line no more, as far as the table knows."""
        escalation = record.escalation
        if escalation.reason == CALL_FAILED:
            return True
        return self.calls.how_it_ended(escalation.call_sid) not in ON_THE_LINE

    def caller_is_on_the_way(self, record: EscalationRecord) -> bool:
        """Whether the agent has let go of the caller, who goes to the conference or is in it."""
        return is_transferred(self.calls, record)

    def _changed(self, before: EscalationRecord | None, after: EscalationRecord) -> None:
        where = {"escalation_id": after.escalation.escalation_id, "status": after.status, "person": after.person}
        log.info("an escalation went on", extra=where)
        record_transition("desk", before, after)
        try:
            self._policy.remind(after)
        except ReminderNotSent:
            # What was sent before brings the ladder here all the same, only later.
            log.exception("the ladder was not reminded", extra=where)
            metric("desk", "RemindersNotSent")
        self.caller_return.after(before, after)


@dataclass(frozen=True)
class CallUpdate:
    """What Twilio tells about a call to a person, and the escalation that it is about, as it stands.

    It happened, whether or not the person is still on the roster and however old the link in the URL is.
    """

    desk: Desk
    token: str
    person_id: str
    record: EscalationRecord

    @property
    def escalation_id(self) -> str:
        """The escalation that the link is for."""
        return self.record.escalation.escalation_id

    def url(self, under: str) -> str:
        """Where Twilio is told to go on under this link."""
        return self.desk.url(self.token, under)

    def change(self, event: Event) -> Self:
        """The same after an event; raises what the event raises, StoreUnavailable and NoSuchEscalation."""
        return replace(self, record=self.desk.escalations.change(self.escalation_id, event))


@dataclass(frozen=True)
class Visit(CallUpdate):
    """One person on call at one escalation, as it was when they came."""

    person: Person
    roster: Roster
    now: datetime


def open_desk(desk: Desk, token: str) -> Visit:
    """A visit by link.

    Raises:
        InvalidDeskLink: when the link was altered or is too old.
        NotOnCall: when the person is not on the roster, or there is none.
        NoSuchEscalation: when it is not kept any more.
        StoreUnavailable: when the table does not answer.
    """
    link = verify(desk.settings.signing_key, token)
    try:
        roster = desk.roster()
    except NobodyOnCall:
        raise NotOnCall("nobody is on call") from None
    person = roster.person(link.person)
    if person is None:
        raise NotOnCall(f"{link.person} is not on call")
    return Visit(desk, token, person.id, _life(desk, link), person, roster, datetime.now(UTC))


def call_update(desk: Desk, token: str) -> CallUpdate:
    """News about a call that was placed for this link.

    Raises:
        InvalidDeskLink: when the link was altered.
        NoSuchEscalation: when it is not kept any more.
        StoreUnavailable: when the table does not answer.
    """
    link = verify(desk.settings.signing_key, token, at_any_age=True)
    return CallUpdate(desk, token, link.person, _life(desk, link))


def _life(desk: Desk, link: DeskLink) -> EscalationRecord:
    record = desk.escalations.get(link.escalation_id)
    if record is None:
        raise NoSuchEscalation(f"there is no escalation {link.escalation_id}")
    return record


def link_for(visit: Visit, record: EscalationRecord) -> str:
    """A token of the same person for another escalation, or this one's own."""
    if record.escalation.escalation_id == visit.escalation_id:
        return visit.token
    return sign(visit.desk.settings.signing_key, record.escalation.escalation_id, visit.person.id)


@cache
def desk() -> Desk:
    """The desk of this process; raises SettingsError, which is not remembered."""
    return Desk(settings())


def page_path(token: str) -> str:
    """The path of a link's page, from the root of whatever host it was asked from, below the path of PUBLIC_URL."""
    return f"{urlsplit(desk().settings.public_url).path}/desk/{token}"
