"""<Dial><Conference>: what a call hears and does from its coming to its going."""

import asyncio

from local.twilio.call import Call
from local.twilio.conference import ConferenceRefusedError, Participant
from local.twilio.playback import Playback
from local.twilio.sayings import let_hear
from local.twilio.sound import Tune, hold_music
from local.twilio.twiml import ApplicationError, Conference, Dial, Document, Pause, Play, Redirect, Say
from local.twilio.webhook import Request


async def confer(call: Call, verb: Dial, noun: Conference, document: Document) -> str | None:
    """Takes part in a conference until one is out of it. Returns the DialCallStatus; None if one was not let in."""
    status_url = noun.status.url and document.resolve(noun.status.url)
    wait_for = Request(document.resolve(noun.wait_url), noun.wait_method) if noun.wait_url else None
    try:
        participant = call.account.conferences.join(noun, status_url, call.sid, lambda: call.phone.heard_ms)
    except ConferenceRefusedError as refusal:
        call.warn(refusal.code, refusal.reason)
        return None
    call.report.visits.append(participant.visit)
    call.note("conference joined", noun.name)
    try:
        await _take_part(call, verb, participant, wait_for)
    except ApplicationError as error:
        call.warn(error.code, error.reason)
        participant.leave("participant_add_failed", call.report.status)
        return "failed"
    finally:
        why = "participant_updated_via_api" if call.in_progress else "participant_hung_up"
        participant.leave(why, call.report.status)
        call.note("conference left", participant.visit.why_left)
    return "answered"


async def _take_part(call: Call, verb: Dial, participant: Participant, wait_for: Request | None) -> None:
    def is_out() -> bool:
        return participant.gone or (verb.hangup_on_star and participant.pressed_star)

    ends_at_ms = call.phone.now_ms + verb.time_limit_s * 1000
    with call.phone.connected(_music(participant, wait_for), participant):
        holding = asyncio.create_task(_hold(call, wait_for))
        try:
            await call.phone.until(
                lambda: participant.mixed or is_out() or holding.done(), ends_at_ms - call.phone.now_ms
            )
        finally:
            holding.cancel()
            await asyncio.gather(holding, return_exceptions=True)
        if not holding.cancelled():
            holding.result()
    if not is_out() and participant.mixed:
        call.note("conference started", participant.noun.name)
        with call.phone.connected(participant.ear, participant):
            await call.phone.until(is_out, ends_at_ms - call.phone.now_ms)
    # Whose time is up, or who has pressed the star, has left as if they had hung up.
    participant.leave("participant_hung_up", call.report.status)


def _music(participant: Participant, wait_for: Request | None) -> Tune | Playback:
    silent = participant.noun.wait_url == "" or wait_for is not None
    return Playback() if silent else Tune(hold_music())


async def _hold(call: Call, wait_for: Request | None) -> None:
    """Follows the waitUrl; when its document has no verb left there is silence."""
    while wait_for is not None:
        call.note("webhook", f"{wait_for.method} {wait_for.url}")
        document = await call.account.webhooks.ask(
            wait_for, call.fields(), call.phone.now_ms, call.report.requests.append
        )
        wait_for = await _let_wait(call, document)
    await asyncio.Event().wait()


async def _let_wait(call: Call, document: Document) -> Request | None:
    for verb in document.verbs:
        match verb:
            case Redirect():
                return Request(document.resolve(verb.url), verb.method)
            case Say() | Play() | Pause():
                await let_hear(call, verb, document)
            case _:
                call.warn(13238, f"<{type(verb).__name__}> does not belong into the document of a waitUrl")
    return None
