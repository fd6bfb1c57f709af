"""The desk in a browser: pages for one person about one escalation, and the taps on their buttons.

Opening a link changes nothing, so a phone's preview or a mail scanner does no harm. A tap sends a form; the response
redirects to the page, which shows the result.
"""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Request, Response
from fastapi.responses import RedirectResponse
from fastapi.routing import APIRoute
from starlette.datastructures import ImmutableMultiDict

from functions.desk.actions import NoPhone, decline, resolve, take
from functions.desk.caller import to_call
from functions.desk.context import Visit, desk, open_desk, page_path, with_deadline
from functions.desk.errors import message_for
from functions.desk.form_tokens import StaleForm, form_token
from functions.desk.web.open_calls import show_open_calls
from functions.desk.web.pages import page
from functions.desk.web.view import ShownEntry, last_failure, shown, view_of
from shared.escalations.record import Refused
from shared.logs import logger, metric
from shared.twilio.webhook import form_of, route_of

log = logger("desk")

# The value of the query parameter `notice` with which a redirect shows the notice.
UNCHANGED = "unchanged"
NOTICE = "Nothing was changed by your last tap, because things had moved on before it. This is how they stand now."


class PageRoute(APIRoute):
    """A route for a person's browser: every error becomes a page that says what happened and what they can do."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler, with a page in place of an error."""
        answer = super().get_route_handler()

        async def answer_or_explain(request: Request) -> Response:
            try:
                return await answer(request)
            except Exception as error:  # any error, since the person must see a page
                message = message_for(error)
                if message.status >= 500:
                    log.exception("a page failed", extra={"route": route_of(request)})
                    metric("desk", "UnhandledErrors")
                else:
                    refused = {"route": route_of(request), "status": message.status, "reason": str(error)}
                    log.warning("a page was refused", extra=refused)
            again = _same_page(request) if message.again else ""
            return page("message.html", message.status, message=message, again=again)

        return answer_or_explain


def _same_page(request: Request) -> str:
    """The relative URL of the page that failed or on which the person tapped.

    `page_path` is of no use here, because it needs valid settings.
    """
    *_, token, last = request.url.path.split("/")
    return f"../{token}" if request.method == "POST" else f"./{last}"


async def _visit(token: str) -> Visit:
    return await with_deadline(lambda: open_desk(desk(), token))


Visitor = Annotated[Visit, Depends(_visit)]
pages = APIRouter(route_class=PageRoute, prefix="/desk/{token}")


@pages.get("")
async def escalation(visit: Visitor, notice: str = "") -> Response:
    """The escalation: who calls, why, its status, and the next action."""
    return await with_deadline(lambda: _escalation(visit, notice))


@pages.get("/transcript")
async def transcript(visit: Visitor, after: int = -1) -> Response:
    """The transcript entries after an index, and a state that changes when the page must be loaded again."""

    def update() -> Response:
        entries = _entries(visit, after)
        view = _view(visit)
        return page("update.html", view=view, entries=entries)

    return await with_deadline(update)


@pages.get("/open")
async def open_calls(visit: Visitor) -> Response:
    """All open escalations, each with a link for the same person."""
    return await with_deadline(lambda: show_open_calls(visit))


@pages.post("/take")
async def take_call(visit: Visitor, request: Request) -> Response:
    """The person accepts the call, and their phone rings."""
    return await _tap(visit, request, lambda form: take(visit, form["form"]))


@pages.post("/call-back")
async def call_back(visit: Visitor, request: Request) -> Response:
    """The person calls back a caller who has hung up; their own phone rings first."""
    return await _tap(visit, request, lambda form: take(visit, form["form"], callback=True))


@pages.post("/pass-on")
async def decline_call(visit: Visitor, request: Request) -> Response:
    """The person declines, which leaves the call to others."""
    return await _tap(visit, request, lambda form: decline(visit, form["form"]))


@pages.post("/resolve")
async def resolve_call(visit: Visitor, request: Request) -> Response:
    """The person has dealt with the request, and may add a note."""
    return await _tap(visit, request, lambda form: resolve(visit, form["form"], form.get("note", "")))


async def _tap(visit: Visit, request: Request, act: Callable[[ImmutableMultiDict[str, str]], Visit]) -> Response:
    form = await form_of(request)
    if "form" not in form:
        raise HTTPException(400, "the form has no token")
    notice = ""
    try:
        await with_deadline(lambda: act(form))
    except (StaleForm, Refused, NoPhone) as why:
        where = {"escalation_id": visit.escalation_id, "person": visit.person.id}
        log.info("a tap changed nothing: %s", why, extra=where)
        # After a double tap, the first tap has already done it, so the second needs no notice.
        now = await with_deadline(lambda: open_desk(visit.desk, visit.token).record)
        notice = "" if now.person == visit.person.id else f"?notice={UNCHANGED}"
    return RedirectResponse(f"{page_path(visit.token)}{notice}", 303)


def _escalation(visit: Visit, notice: str) -> Response:
    shown_notice = last_failure(visit.record, visit.person) or (NOTICE if notice == UNCHANGED else "")
    return page(
        "escalation.html",
        base=page_path(visit.token),
        view=_view(visit),
        entries=_entries(visit),
        form=form_token(visit.desk.settings.signing_key, visit.record, visit.person.id),
        notice=shown_notice,
    )


def _view(visit: Visit) -> Any:
    gone = visit.record.open and visit.desk.caller_is_gone(visit.record)
    return view_of(visit.record, visit.person, to_call(visit), gone=gone, now=visit.now)


def _entries(visit: Visit, after: int = -1) -> list[tuple[int, ShownEntry]]:
    escalation = visit.record.escalation
    # If the worker could not store the transcript, the escalation still has what was said before it.
    entries = visit.desk.calls.turns(escalation.call_sid) or dict(enumerate(escalation.transcript))
    return shown(entries, after)
