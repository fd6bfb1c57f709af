"""What requests to the desk work with: the desk's clients, and a visit or call update with its escalation."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache, cached_property
from typing import TYPE_CHECKING, Self, TypeVar
from urllib.parse import urlsplit

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
from shared.on_call.settings import OnCallSettings, settings
from shared.on_call.store import NobodyOnCall, RosterStore

if TYPE_CHECKING:
    from shared.twilio.rest import Telephony

log = logger("desk")

# Twilio waits 15 s for an answer, while the person on the phone hears silence.
ANSWERED_WITHIN_S = 11.0
# How the worker's part of a call ended, if the caller is still on the line: with the agent, or on the way to a person.
ON_THE_LINE = (None, CallEnd.MOVED, CallEnd.TRANSFERRED)

Result = TypeVar("Result")


class NotOnCall(Exception):
    """The link's person is not on call, or not any more."""


async def with_deadline(work: Callable[[], Result]) -> Result:
    """Runs `work` in a thread and returns its result; raises TimeoutError after `ANSWERED_WITHIN_S`."""
    return await asyncio.wait_for(asyncio.to_thread(work), ANSWERED_WITHIN_S)


class Desk:
    """This process's clients for the table, the reminder queue and Twilio. Blocking; may be used from many threads."""

    def __init__(self, settings: OnCallSettings) -> None:
        self.settings = settings
        self.calls = CallStore(settings.table_name, client("dynamodb"))
        self.escalations = EscalationStore(settings.table_name, client("dynamodb"), changed=self._changed)
        self._rosters = RosterStore(settings.table_name, client("dynamodb"), "desk")
        self._reminders = ReminderQueue(settings.reminder_queue_url, client("sqs"))
        self.caller_return = CallerReturn("desk", settings.public_url, self.calls, lambda: self.telephony)

    @cached_property
    def telephony(self) -> "Telephony":
        """Twilio's REST API; made when first used, since it is slow to import and most requests do not need it."""
        from shared.twilio.rest import Telephony

        given = self.settings
        return Telephony(given.twilio_account_sid, given.twilio_auth_token, api_url=given.twilio_api_url)

    def roster(self) -> Roster:
        """The people on call; raises NobodyOnCall, RosterError and StoreUnavailable."""
        return self._rosters.roster(self.settings)

    def name_of(self, person: str) -> str:
        """A person's name on the roster; their id, if the roster cannot be read or does not have them."""
        try:
            found = self.roster().person(person)
        except (NobodyOnCall, RosterError, StoreUnavailable):
            log.exception("a person's name could not be read from the roster", extra={"person": person})
            found = None
        return found.name if found else person

    def url(self, token: str, under: str = "") -> str:
        """The full URL of a path under a link, for Twilio."""
        return f"{self.settings.public_url}/desk/{token}{under}"

    def caller_is_gone(self, record: EscalationRecord) -> bool:
        """Whether the caller has hung up or was cut off, as far as the table knows."""
        escalation = record.escalation
        if escalation.reason == CALL_FAILED:
            return True
        return self.calls.how_it_ended(escalation.call_sid) not in ON_THE_LINE

    def caller_is_on_the_way(self, record: EscalationRecord) -> bool:
        """Whether the agent has transferred the caller, who is on the way to the conference or in it."""
        return is_transferred(self.calls, record)

    def _changed(self, before: EscalationRecord | None, after: EscalationRecord) -> None:
        where = {"escalation_id": after.escalation.escalation_id, "status": after.status, "person": after.person}
        log.info("an escalation changed", extra=where)
        record_transition("desk", before, after)
        try:
            self._reminders.remind(after)
        except ReminderNotSent:
            # A reminder that was sent before still comes, only later.
            log.exception("a reminder could not be sent", extra=where)
            metric("desk", "RemindersNotSent")
        self.caller_return.after(before, after)


@dataclass(frozen=True)
class CallUpdate:
    """What Twilio reports about a call to a person, with the current record of its escalation.

    It is valid even if the person is not on the roster any more, and however old the link in the URL is.
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
        """The full URL of a path under this link, for Twilio."""
        return self.desk.url(self.token, under)

    def change(self, event: Event) -> Self:
        """A copy with the record after an event; raises the event's errors, StoreUnavailable and NoSuchEscalation."""
        return replace(self, record=self.desk.escalations.change(self.escalation_id, event))


@dataclass(frozen=True)
class Visit(CallUpdate):
    """A request by a person on call about one escalation, with its record at that time."""

    person: Person
    roster: Roster
    now: datetime


def open_desk(desk: Desk, token: str) -> Visit:
    """The visit for a link's token.

    Raises:
        InvalidDeskLink: when the link was altered or is too old.
        NotOnCall: when the person is not on the roster, or there is no roster.
        NoSuchEscalation: when the escalation has been deleted.
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
    return Visit(desk, token, person.id, _record_for(desk, link), person, roster, datetime.now(UTC))


def call_update(desk: Desk, token: str) -> CallUpdate:
    """An update about a call that was placed for this link.

    Raises:
        InvalidDeskLink: when the link was altered.
        NoSuchEscalation: when the escalation has been deleted.
        StoreUnavailable: when the table does not answer.
    """
    link = verify(desk.settings.signing_key, token, at_any_age=True)
    return CallUpdate(desk, token, link.person, _record_for(desk, link))


def _record_for(desk: Desk, link: DeskLink) -> EscalationRecord:
    record = desk.escalations.get(link.escalation_id)
    if record is None:
        raise NoSuchEscalation(f"there is no escalation {link.escalation_id}")
    return record


def link_for(visit: Visit, record: EscalationRecord) -> str:
    """A token for the same person and another escalation; the visit's own token if it is the same escalation."""
    if record.escalation.escalation_id == visit.escalation_id:
        return visit.token
    return sign(visit.desk.settings.signing_key, record.escalation.escalation_id, visit.person.id)


@cache
def desk() -> Desk:
    """The desk of this process; raises SettingsError, which is not cached."""
    return Desk(settings())


def page_path(token: str) -> str:
    """The path of a link's page, below the path of PUBLIC_URL and without a host."""
    return f"{urlsplit(desk().settings.public_url).path}/desk/{token}"
