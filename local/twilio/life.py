"""The life of a call: it may have to be answered first; then it asks for TwiML, performs it verb by verb, and goes on
with the next document until it ends.

While a document runs, either side may hang up, a REST call may put another document in its place, and the time may be
up; each of these interrupts whatever verb is being performed.
"""

import asyncio
from collections.abc import Coroutine

from local.twilio.call import Call
from local.twilio.person import Callee
from local.twilio.phone import CallEndedError
from local.twilio.report import CallReport, EndedBy
from local.twilio.twiml import ApplicationError, Document, Say, describe
from local.twilio.verbs import Next, perform, say
from local.twilio.webhook import Request

APOLOGY = Say("We are sorry. An application error has occurred. Goodbye.")

Following = Request | Document | None


async def live(call: Call, callee: Callee | None = None, *, ring_for_s: float = 60.0) -> CallReport:
    """Lives through a call; an outbound one rings `callee` first. Raises what the phone's script raised, and
    NotSimulatedError.
    """
    ticking = asyncio.create_task(call.phone.run())
    limit = asyncio.create_task(_end_at_limit(call))
    try:
        if callee is None or await _is_answered(call, callee, ring_for_s):
            await _follow(call, ticking)
    finally:
        call.end(EndedBy.APPLICATION)
        for task in (ticking, limit):
            task.cancel()
        await asyncio.wait({ticking, limit})
        await call.finish()
    return call.report


async def _is_answered(call: Call, callee: Callee, ring_for_s: float) -> bool:
    if not call.in_progress:  # it was canceled while it was queued
        return False
    reaction = callee.rings()
    call.report.status = "initiated"
    call.note("initiated")
    call.tell("initiated")
    patience_ms = ring_for_s * 1000
    in_time = reaction.after_ms is not None and reaction.after_ms <= patience_ms
    try:
        if reaction.rings:
            call.report.status = "ringing"
            call.note("ringing")
            call.tell("ringing")
        await call.phone.wait(reaction.after_ms if in_time and reaction.after_ms is not None else patience_ms)
    except CallEndedError:
        return False
    if in_time and reaction.script is not None:
        call.answer(reaction.script)
    else:
        call.end(EndedBy.NOT_REACHED, reaction.status if in_time else "no-answer")
    return call.in_progress


async def _follow(call: Call, ticking: asyncio.Task[None]) -> None:
    following: Following = call.setup.opening
    while call.in_progress and (following is not None or call.is_leg):
        doing = _talk(call) if following is None else _perform(call, following)
        following = await _until_interrupted(call, doing, ticking)
    call.end(EndedBy.APPLICATION)
    if call.parting is not None:
        try:
            await _ask(call, call.parting)  # its answer is read, and not performed: nobody is there
        except ApplicationError as error:
            call.warn(error.code, error.reason)


async def _talk(call: Call) -> Following:
    party = await call.connected
    with call.phone.connected(party.ear, party):
        await asyncio.Event().wait()
    return None


async def _until_interrupted(
    call: Call, doing: Coroutine[None, None, Following], ticking: asyncio.Task[None]
) -> Following:
    performing = asyncio.create_task(doing)
    interrupting = asyncio.create_task(call.interrupts.get())
    try:
        await asyncio.wait({performing, interrupting, ticking}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        performing.cancel()
        interrupting.cancel()
        await asyncio.wait({performing, interrupting})
    if ticking.done():
        ticking.result()
    outcome = None if performing.cancelled() else performing.result()
    if interrupting.cancelled():
        return outcome
    if (replacement := interrupting.result()) is not None:
        call.parting = None  # what the old document would have asked at its end is asked no more
    return replacement


async def _perform(call: Call, following: Request | Document) -> Following:
    try:
        document = following if isinstance(following, Document) else await _ask(call, following)
        for warning in document.warnings:
            call.warn(12200, warning)
        for verb in document.verbs:
            call.note(type(verb).__name__, describe(verb))
            outcome = await perform(call, verb, document)
            if outcome is Next.END:
                call.end(EndedBy.APPLICATION)
                return None
            if isinstance(outcome, Request):
                return outcome
    except ApplicationError as error:
        return await _apologise(call, error, following)
    except CallEndedError:
        return None
    return None


async def _ask(call: Call, request: Request) -> Document:
    call.note("webhook", f"{request.method} {request.url}")
    return await call.account.webhooks.ask(request, call.fields(), call.phone.now_ms, call.report.requests.append)


async def _apologise(call: Call, error: ApplicationError, failed: Request | Document) -> Following:
    call.warn(error.code, error.reason)
    if call.fallback_left and call.setup.fallback is not None:
        call.fallback_left = False
        url = failed.url or ""
        return Request(call.setup.fallback, fields={"ErrorCode": str(error.code), "ErrorUrl": url})
    call.answer()
    await say(call, APOLOGY)
    call.end(EndedBy.APPLICATION_ERROR)
    return None


async def _end_at_limit(call: Call) -> None:
    await call.phone.clock.wait_until(call.setup.limit_s * 1000)
    call.end(EndedBy.TIME_LIMIT)
