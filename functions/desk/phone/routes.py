"""The desk on the phone: what Twilio asks and tells about the calls to people on call, each of it signed.

Two kinds of routes: those that Twilio asks what to do next (`calls`) are answered with TwiML whatever goes wrong, since
somebody listens. Those that it only tells something (`status_callbacks`) are answered 204 once that is stored, and 503
when it is not: then Twilio's log shows it, and it may be told again.
"""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Response

from functions.desk.context import CallUpdate, NotOnCall, Visit, call_update, desk, open_desk, with_deadline
from functions.desk.errors import message_for
from functions.desk.phone import menu, twiml
from functions.desk.phone.conference_events import happened
from functions.desk.settings import settings
from shared.escalations.store import NoSuchEscalation
from shared.logs import logger
from shared.on_call.link import InvalidDeskLink
from shared.twilio.webhook import SignedWebhook, Webhook, Xml, status_callback_route, twilio_route

log = logger("desk")

# Links that are no good any more: an expected thing, about which somebody on the phone hears a sentence.
LEADS_NOWHERE = (InvalidDeskLink, NotOnCall, NoSuchEscalation)

SORRY = "I'm sorry, something went wrong on our side. Please open the link in your message. Goodbye."

Signed = Annotated[Webhook, Depends(SignedWebhook("desk", settings))]


def _apology() -> str:
    return twiml.say_and_hang_up(SORRY)


calls = APIRouter(route_class=twilio_route("desk", _apology), prefix="/desk")
status_callbacks = APIRouter(route_class=status_callback_route("desk"), prefix="/desk")


@status_callbacks.post("/conference")
async def conference(webhook: Signed, escalation: str = "") -> Response:
    """Somebody has come to the conference of an escalation, or left it."""
    try:
        await with_deadline(lambda: happened(desk(), escalation, webhook))
    except NoSuchEscalation as why:
        log.warning("a conference is about nothing: %s", why)
    return Response(status_code=204)


@calls.post("/{token}/offer")
async def offer(token: str, webhook: Signed) -> Xml:
    """A person has picked up, and hears who needs them."""
    return await _said(token, lambda visit: menu.offer(visit, "offer"))


@calls.post("/{token}/join")
async def join(token: str, webhook: Signed) -> Xml:
    """A person who has tapped has picked up, and hears which key brings the caller."""
    return await _said(token, lambda visit: menu.offer(visit, "join"))


@calls.post("/{token}/pressed")
async def pressed(token: str, webhook: Signed, purpose: menu.Purpose = "join") -> Xml:
    """They have pressed a key."""
    return await _said(token, lambda visit: menu.pressed(visit, webhook, purpose))


@calls.post("/{token}/wait")
async def wait(token: str, webhook: Signed, turn: int = 0) -> Xml:
    """They wait for the caller; the answer to one turn leads to the next, or to the caller."""
    return await _said(token, lambda visit: menu.wait(visit, webhook, turn))


@calls.post("/{token}/left")
async def left(token: str, webhook: Signed) -> Xml:
    """They are out of the conference."""
    return await _told(token, lambda update: menu.left(update, webhook))


@calls.post("/{token}/called-back")
async def called_back(token: str, webhook: Signed) -> Xml:
    """The call back is over, or nobody has answered it."""
    return await _told(token, lambda update: menu.called_back(update, webhook))


@status_callbacks.post("/{token}/answered")
async def answered(token: str, webhook: Signed) -> Response:
    """A caller who is called back has picked up."""
    return await _taken_in(token, lambda update: menu.answered(update, webhook))


@status_callbacks.post("/{token}/leg-ended")
async def leg_ended(token: str, webhook: Signed, taken: str = "") -> Response:
    """A call to a person is over, be it that nobody picked up."""
    return await _taken_in(token, lambda update: menu.ended(update, webhook, taken))


async def _said(token: str, words: Callable[[Visit], str]) -> Xml:
    """The answer to a person on call; somebody who is not on call any more, or late, hears just that."""
    return await _spoken(lambda: words(open_desk(desk(), token)))


async def _told(token: str, words: Callable[[CallUpdate], str]) -> Xml:
    """The answer to a person who tells, by hanging up or by being hung up on, what has become of the caller."""
    return await _spoken(lambda: words(call_update(desk(), token)))


async def _spoken(words: Callable[[], str]) -> Xml:
    def answer() -> str:
        try:
            return words()
        except LEADS_NOWHERE as why:
            log.warning("a call leads nowhere: %s", why)
            return twiml.say_and_hang_up(f"{message_for(why).headline}. Goodbye.")

    return Xml(await with_deadline(answer))


async def _taken_in(token: str, store: Callable[[CallUpdate], None]) -> Response:
    def take() -> None:
        try:
            store(call_update(desk(), token))
        except LEADS_NOWHERE as why:  # nothing can be stored about it, now or later
            log.warning("a call leads nowhere: %s", why)

    await with_deadline(take)
    return Response(status_code=204)
