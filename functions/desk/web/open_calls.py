"""The list of all open escalations, as one person on call sees it."""

from dataclasses import dataclass
from datetime import UTC, datetime

from fastapi import Response

from functions.desk.caller import to_call
from functions.desk.context import Visit, link_for, page_path
from functions.desk.formatting import URGENCIES, caller_in_words, grouped, reason_in_words, spell_out
from functions.desk.web.pages import page
from functions.desk.web.view import in_short
from shared.escalations.record import Life


@dataclass(frozen=True)
class Card:
    """One line of the list."""

    href: str
    tone: str
    urgency: str
    urgency_words: str
    reason: str
    caller: str
    standing: str


def show_open_calls(visit: Visit) -> Response:
    """The page: what waits for anybody first, the most urgent before the others."""
    lives = visit.desk.escalations.open()
    order = ("high", "normal", "low")
    lives.sort(key=lambda life: (life.holder is not None, order.index(life.escalation.urgency)))
    count = sum(life.holder is None for life in lives)
    headline = {0: "Nobody is waiting", 1: "One caller is waiting"}.get(count, f"{count} callers are waiting")
    cards = [_card(visit, life) for life in lives]
    return page("open.html", base=page_path(visit.token), headline=headline, cards=cards)


def _card(visit: Visit, life: Life) -> Card:
    escalation = life.escalation
    whom, caller = to_call(visit, life), caller_in_words(escalation.caller)
    waited = spell_out((datetime.now(UTC) - escalation.created_at).total_seconds())
    return Card(
        href=page_path(link_for(visit, life)),
        tone="alarm" if life.holder is None else "mine" if life.holder == visit.person.id else "theirs",
        urgency=escalation.urgency,
        urgency_words=URGENCIES[escalation.urgency],
        reason=reason_in_words(escalation.reason),
        caller=f"{caller}, to be called at {grouped(whom.number)}" if whom.number and whom.elsewhere else caller,
        standing=in_short(life, visit.person, waited),
    )
