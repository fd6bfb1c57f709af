"""The page that lists all open escalations, as one person on call sees it."""

from dataclasses import dataclass
from datetime import UTC, datetime

from fastapi import Response

from functions.desk.caller import to_call
from functions.desk.context import Visit, link_for, page_path
from functions.desk.formatting import URGENCIES, caller_in_words, grouped, reason_in_words, spell_out
from functions.desk.web.pages import page
from functions.desk.web.view import in_short
from shared.escalations.record import EscalationRecord


@dataclass(frozen=True)
class Card:
    """One escalation on the list."""

    href: str
    tone: str
    urgency: str
    urgency_words: str
    reason: str
    caller: str
    standing: str


def show_open_calls(visit: Visit) -> Response:
    """The page: unassigned escalations first, then by urgency."""
    records = visit.desk.escalations.open()
    order = ("high", "normal", "low")
    records.sort(key=lambda record: (record.assignee is not None, order.index(record.escalation.urgency)))
    count = sum(record.assignee is None for record in records)
    headline = {0: "Nobody is waiting", 1: "One caller is waiting"}.get(count, f"{count} callers are waiting")
    cards = [_card(visit, record) for record in records]
    return page("open.html", base=page_path(visit.token), headline=headline, cards=cards)


def _card(visit: Visit, record: EscalationRecord) -> Card:
    escalation = record.escalation
    whom, caller = to_call(visit, record), caller_in_words(escalation.caller)
    waited = spell_out((datetime.now(UTC) - escalation.created_at).total_seconds())
    return Card(
        href=page_path(link_for(visit, record)),
        tone="alarm" if record.assignee is None else "mine" if record.assignee == visit.person.id else "theirs",
        urgency=escalation.urgency,
        urgency_words=URGENCIES[escalation.urgency],
        reason=reason_in_words(escalation.reason),
        caller=f"{caller}, to be called at {grouped(whom.number)}" if whom.number and whom.elsewhere else caller,
        standing=in_short(record, visit.person, waited),
    )
