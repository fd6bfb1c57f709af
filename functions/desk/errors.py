"""The pages that a person sees when the desk cannot do what they asked, each with its HTTP status."""

from dataclasses import dataclass

from fastapi import HTTPException
from fastapi.exceptions import RequestValidationError

from functions.desk.context import NotOnCall
from shared.calls.store import StoreUnavailable
from shared.escalations.store import NoSuchEscalation
from shared.on_call.link import InvalidDeskLink
from shared.on_call.roster import RosterError
from shared.settings import SettingsError


@dataclass(frozen=True)
class Message:
    """A page with a headline and a text. `again` adds a link that loads the failed page again."""

    status: int
    headline: str
    text: str
    again: bool = False


EXPIRED = Message(410, "This link has expired", "Links work for a day. The next alert brings a new one.")
FORGED = Message(403, "This link does not work", "Part of it may be missing. Open it again from the message itself.")
NOT_ON_CALL = Message(403, "You are not on call", "The list of people on call does not have you any more.")
UNKNOWN = Message(404, "Nothing is here any more", "What this link was about has been deleted.")
AWAY = Message(503, "The desk is out of reach", "Your tap may not have counted. Look again in a moment.", again=True)
MISCONFIGURED = Message(503, "The desk is not set up", "Its settings are wrong; its log says which.", again=True)
BROKEN = Message(500, "Something went wrong", "Your tap may not have counted. Look again to see.", again=True)
NOT_A_FORM = Message(400, "That was not one of our forms", "Look again, and use the page's own buttons.", again=True)


def message_for(error: Exception) -> Message:
    """The message for an error; `BROKEN` for an unexpected one."""
    if isinstance(error, InvalidDeskLink):
        return EXPIRED if error.reason == "expired" else FORGED
    known: tuple[tuple[type[Exception] | tuple[type[Exception], ...], Message], ...] = (
        (NotOnCall, NOT_ON_CALL),
        (NoSuchEscalation, UNKNOWN),
        ((StoreUnavailable, TimeoutError), AWAY),
        ((SettingsError, RosterError), MISCONFIGURED),
        ((RequestValidationError, HTTPException), NOT_A_FORM),
    )
    return next((message for kind, message in known if isinstance(error, kind)), BROKEN)
