"""The voice function: answers Twilio's HTTP requests when a call comes in and when its audio stream has ended.

It must start within half a second, because the caller hears ringing until then. So nothing here imports boto3,
`twilio.rest` or anything else that answering a call does not need.
"""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI
from fastapi.responses import JSONResponse
from mangum import Mangum

from functions.voice.dropped_call import escalate
from functions.voice.next_step import Ended, Resumption, Transfer, after_stream, after_transfer
from functions.voice.settings import Announcements, settings
from functions.voice.twiml import connect, connect_again, say_and_hang_up, transfer
from shared.calls.stream_token import sign
from shared.http_api import HttpApi
from shared.logs import logger, metric
from shared.numbers.phone_numbers import is_e164, mask
from shared.settings import SettingsError
from shared.twilio.webhook import SignedWebhook, Webhook, Xml, twilio_route

log = logger("voice")

Signed = Annotated[Webhook, Depends(SignedWebhook("voice", settings))]


def _apology() -> str:
    announcements = Announcements()
    return say_and_hang_up(announcements, announcements.apology_retry)


calls = APIRouter(route_class=twilio_route("voice", _apology))


@calls.api_route("/incoming-call", methods=["GET", "POST"])
async def incoming_call(webhook: Signed) -> Xml:
    """Connects a new call to a worker, with a token that admits only this call's stream."""
    log.info(
        "incoming call",
        extra={"call_sid": webhook.call_sid, "caller": mask(webhook.caller), "called": mask(webhook.called)},
    )
    metric("voice", "IncomingCalls")
    token = sign(settings().signing_key, webhook.call_sid)
    return Xml(connect(settings(), token=token, caller=webhook.caller, called=webhook.called))


@calls.post("/stream-ended")
async def stream_ended(webhook: Signed) -> Xml:
    """A stream has ended: answers with a goodbye, another worker, a person, or an apology and a callback."""
    return await _go_on(webhook, await after_stream(webhook, settings()))


@calls.post("/transfer-ended")
async def transfer_ended(webhook: Signed) -> Xml:
    """A caller's conference with a person has ended: returns them to the agent, unless the caller hung up."""
    return await _go_on(webhook, await after_transfer(webhook, settings()))


async def _go_on(webhook: Webhook, following: Ended | Resumption | Transfer) -> Xml:
    if isinstance(following, Resumption):
        return _resume(webhook, following)
    if isinstance(following, Transfer):
        log.info("a call is transferred", extra={"call_sid": webhook.call_sid, **asdict(following)})
        metric("voice", "CallsTransferred")
        return Xml(transfer(settings(), following))
    if following is Ended.NORMALLY:
        return Xml(say_and_hang_up(settings(), settings().goodbye))
    log.warning("a call was dropped", extra={"call_sid": webhook.call_sid})
    metric("voice", "CallsDropped")
    sent = await escalate(webhook, settings())
    # A callback is promised only if the queue has the escalation and there is a number to call.
    will_call = sent and is_e164(webhook.caller)
    return Xml(say_and_hang_up(settings(), settings().apology_callback if will_call else settings().apology_retry))


def _resume(webhook: Webhook, resumption: Resumption) -> Xml:
    returned = resumption.cause == "returned"
    write_log = log.info if returned else log.warning
    write_log("a call is resumed", extra={"call_sid": webhook.call_sid, **asdict(resumption)})
    metric("voice", "TransfersReturned" if returned else "CallsResumed")
    token = sign(settings().signing_key, webhook.call_sid)
    return Xml(connect_again(settings(), resumption, token=token, caller=webhook.caller, called=webhook.called))


# No OpenAPI schema and no pages that show it, because making them takes time. No redirects from paths with an extra
# slash, because FastAPI takes their host from the request.
app = FastAPI(openapi_url=None, redirect_slashes=False)
app.include_router(calls)


@app.get("/health")
async def health() -> JSONResponse:
    """200 when calls can be answered, 503 when the settings are wrong. The log says which settings."""
    try:
        settings()
    except SettingsError as error:
        log.error("the settings are wrong: %s", error)  # noqa: TRY400 # it says all there is; a trace adds nothing
        return JSONResponse({"status": "misconfigured"}, status_code=503)
    return JSONResponse({"status": "ok"})


handler = Mangum(app, lifespan="off", custom_handlers=[HttpApi])
