"""The desk in a browser: pages for one person about one escalation, and the taps on them.

Reading changes nothing, however often a phone's preview or a mail scanner opens a link. A tap is a form, and is
answered with the way back to the page, which tells what became of it.
"""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Request, Response
from fastapi.responses import RedirectResponse
from fastapi.routing import APIRoute
from starlette.datastructures import ImmutableMultiDict

from functions.desk.actions import NoPhone, pass_on, resolve, take
from functions.desk.caller import to_call
from functions.desk.context import Visit, desk, open_desk, page_path, with_deadline
from functions.desk.errors import message_for
from functions.desk.form_tokens import StaleForm, form_token
from functions.desk.web.open_calls import show_open_calls
from functions.desk.web.pages import page
from functions.desk.web.view import ShownTurn, last_failure, shown, view_of
from shared.escalations.record import Refused
from shared.logs import logger, metric
from shared.twilio.webhook import form_of, route_of

log = logger("desk")

# The one notice that a redirect carries, by a word that means nothing to anybody else.
UNCHANGED = "unchanged"
NOTICE = "Nothing was changed by your last tap, because things had moved on before it. This is how they stand now."


class PageRoute(APIRoute):
    """A route that a person looks at: whatever goes wrong, they read a sentence, and what they can do."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler that FastAPI would use, with a page in place of an error."""
        answer = super().get_route_handler()

        async def answer_or_explain(request: Request) -> Response:
            try:
                return await answer(request)
            except Exception as error:  # the last one before the person, whatever it is
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
    """The page that failed, or that was tapped on, relative to it: `page_path` needs the settings and a valid link."""
    *_, token, last = request.url.path.split("/")
    return f"../{token}" if request.method == "POST" else f"./{last}"


async def _visit(token: str) -> Visit:
    return await with_deadline(lambda: open_desk(desk(), token))


Visitor = Annotated[Visit, Depends(_visit)]
pages = APIRouter(route_class=PageRoute, prefix="/desk/{token}")


@pages.get("")
async def escalation(visit: Visitor, notice: str = "") -> Response:
    """The escalation: who calls, why, how it stands, and the one thing to do."""
    return await with_deadline(lambda: _escalation(visit, notice))


@pages.get("/transcript")
async def transcript(visit: Visitor, after: int = -1) -> Response:
    """What was said after a turn, and a word that changes when the page has to be looked at again."""

    def update() -> Response:
        turns = _turns(visit, after)
        view = _view(visit)
        return page("update.html", view=view, turns=turns)

    return await with_deadline(update)


@pages.get("/open")
async def open_calls(visit: Visitor) -> Response:
    """Everything that is open, the most urgent first, each with a link of the same person's."""
    return await with_deadline(lambda: show_open_calls(visit))


@pages.post("/take")
async def take_call(visit: Visitor, request: Request) -> Response:
    """The person takes the call, and their phone rings."""
    return await _tap(visit, request, lambda form: take(visit, form["form"]))


@pages.post("/call-back")
async def call_back(visit: Visitor, request: Request) -> Response:
    """The person calls back a caller who has hung up; their own phone rings first."""
    return await _tap(visit, request, lambda form: take(visit, form["form"], callback=True))


@pages.post("/pass-on")
async def pass_it_on(visit: Visitor, request: Request) -> Response:
    """The person leaves it to others."""
    return await _tap(visit, request, lambda form: pass_on(visit, form["form"]))


@pages.post("/resolve")
async def say_it_is_done(visit: Visitor, request: Request) -> Response:
    """The person has dealt with it, and may say how."""
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
        # A second tap on the same button finds that the first has done it, which needs no words.
        now = await with_deadline(lambda: open_desk(visit.desk, visit.token).record)
        notice = "" if now.person == visit.person.id else f"?notice={UNCHANGED}"
    return RedirectResponse(f"{page_path(visit.token)}{notice}", 303)


def _escalation(visit: Visit, notice: str) -> Response:
    said = last_failure(visit.record, visit.person) or (NOTICE if notice == UNCHANGED else "")
    return page(
        "escalation.html",
        base=page_path(visit.token),
        view=_view(visit),
        turns=_turns(visit),
        form=form_token(visit.desk.settings.signing_key, visit.record, visit.person.id),
        notice=said,
    )


def _view(visit: Visit) -> Any:
    gone = visit.record.open and visit.desk.caller_is_gone(visit.record)
    return view_of(visit.record, visit.person, to_call(visit), gone=gone, now=visit.now)


def _turns(visit: Visit, after: int = -1) -> list[tuple[int, ShownTurn]]:
    escalation = visit.record.escalation
    # What was said before the escalation came with it, for the case that the worker could not keep the turns.
    turns = visit.desk.calls.turns(escalation.call_sid) or dict(enumerate(escalation.transcript))
    return shown(turns, after)
