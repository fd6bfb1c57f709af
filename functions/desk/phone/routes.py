"""The desk on the phone: Twilio's signed requests about calls to people on call.

There are two kinds of routes. By `calls` Twilio asks what to do next; the answer is always TwiML, whatever goes wrong,
since somebody listens. By `status_callbacks` Twilio reports an event; the answer is 204 once it is stored, and 503 if
it is not: then Twilio's log shows it, and Twilio may report it again.
"""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Response

from functions.desk.context import CallUpdate, NotOnCall, Visit, call_update, desk, open_desk, with_deadline
from functions.desk.errors import message_for
from functions.desk.phone import menu, twiml
from functions.desk.phone.conference_events import handle_event
from shared.escalations.store import NoSuchEscalation
from shared.logs import logger
from shared.on_call.link import InvalidDeskLink
from shared.on_call.settings import settings
from shared.twilio.webhook import SignedWebhook, Webhook, Xml, status_callback_route, twilio_route

log = logger("desk")

# Errors of links that are not valid any more. These are expected; a person on the phone hears a sentence about them.
INVALID_LINK = (InvalidDeskLink, NotOnCall, NoSuchEscalation)

SORRY = "I'm sorry, something went wrong on our side. Please open the link in your message. Goodbye."

Signed = Annotated[Webhook, Depends(SignedWebhook("desk", settings))]


def _apology() -> str:
    return twiml.say_and_hang_up(SORRY)


calls = APIRouter(route_class=twilio_route("desk", _apology), prefix="/desk")
status_callbacks = APIRouter(route_class=status_callback_route("desk"), prefix="/desk")


@status_callbacks.post("/conference")
async def conference(webhook: Signed, escalation: str = "") -> Response:
    """Somebody has joined or left the conference of an escalation."""
    try:
        await with_deadline(lambda: handle_event(desk(), escalation, webhook))
    except NoSuchEscalation as why:
        log.warning("a conference has no escalation: %s", why)
    return Response(status_code=204)


@calls.post("/{token}/offer")
async def offer(token: str, webhook: Signed) -> Xml:
    """A person who was alerted by phone has picked up, and hears who needs them."""
    return await _answer_visit(token, lambda visit: menu.offer(visit, "offer"))


@calls.post("/{token}/join")
async def join(token: str, webhook: Signed) -> Xml:
    """A person who has taken the call on the page has picked up, and hears which key connects them."""
    return await _answer_visit(token, lambda visit: menu.offer(visit, "join"))


@calls.post("/{token}/pressed")
async def pressed(token: str, webhook: Signed, purpose: menu.Purpose = "join") -> Xml:
    """The person has pressed a key."""
    return await _answer_visit(token, lambda visit: menu.pressed(visit, webhook, purpose))


@calls.post("/{token}/wait")
async def wait(token: str, webhook: Signed, turn: int = 0) -> Xml:
    """The person waits for the caller; each answer leads to the next turn of waiting, or to the caller."""
    return await _answer_visit(token, lambda visit: menu.wait(visit, webhook, turn))


@calls.post("/{token}/left")
async def left(token: str, webhook: Signed) -> Xml:
    """The person has left the conference."""
    return await _answer_update(token, lambda update: menu.left(update, webhook))


@calls.post("/{token}/called-back")
async def called_back(token: str, webhook: Signed) -> Xml:
    """The callback is over, or the caller did not answer it."""
    return await _answer_update(token, lambda update: menu.called_back(update, webhook))


@status_callbacks.post("/{token}/answered")
async def answered(token: str, webhook: Signed) -> Response:
    """A caller who is called back has picked up."""
    return await _store(token, lambda update: menu.answered(update, webhook))


@status_callbacks.post("/{token}/leg-ended")
async def leg_ended(token: str, webhook: Signed, taken: str = "") -> Response:
    """A call to a person is over, also if nobody picked up."""
    return await _store(token, lambda update: menu.ended(update, webhook, taken))


async def _answer_visit(token: str, answer: Callable[[Visit], str]) -> Xml:
    """The TwiML for a person on call; one who is not on call any more, or whose link is too old, hears that."""
    return await _xml(lambda: answer(open_desk(desk(), token)))


async def _answer_update(token: str, answer: Callable[[CallUpdate], str]) -> Xml:
    """The TwiML after an update about the caller; the person need not be on call any more."""
    return await _xml(lambda: answer(call_update(desk(), token)))


async def _xml(answer: Callable[[], str]) -> Xml:
    def answer_or_refuse() -> str:
        try:
            return answer()
        except INVALID_LINK as why:
            log.warning("a call has no valid link: %s", why)
            return twiml.say_and_hang_up(f"{message_for(why).headline}. Goodbye.")

    return Xml(await with_deadline(answer_or_refuse))


async def _store(token: str, store: Callable[[CallUpdate], None]) -> Response:
    def store_or_drop() -> None:
        try:
            store(call_update(desk(), token))
        except INVALID_LINK as why:  # it cannot be stored, now or later
            log.warning("a call has no valid link: %s", why)

    await with_deadline(store_or_drop)
    return Response(status_code=204)
