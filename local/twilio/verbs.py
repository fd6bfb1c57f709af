"""How a call performs each TwiML verb: nothing comes of most, a request for the next document of some."""

from enum import Enum

from local.twilio.call import Call
from local.twilio.dial import dial
from local.twilio.gather import gather
from local.twilio.media_stream import MediaStream, StreamFailedError
from local.twilio.report import EndedBy
from local.twilio.sayings import let_hear
from local.twilio.twiml import (
    Connect,
    Dial,
    Document,
    Gather,
    Hangup,
    Pause,
    Play,
    Redirect,
    Reject,
    Say,
    Verb,
)
from local.twilio.webhook import Request

STATUS_OF_REJECT = {"busy": "busy", "rejected": "no-answer"}


class Next(Enum):
    """What follows a verb, where it is no request."""

    VERB = "the next verb"
    END = "the end of the call"


async def perform(call: Call, verb: Verb, document: Document) -> Request | Next:
    """Performs one verb of a document in its time."""
    match verb:
        case Reject() if not call.answered:
            call.end(EndedBy.APPLICATION, status=STATUS_OF_REJECT.get(verb.reason, "no-answer"))
            return Next.END
        case Hangup() | Reject():
            call.answer()
            return Next.END
        case Pause():
            await let_hear(call, verb, document)  # as the first verb it delays the answer
            return Next.VERB
        case Dial(answer_on_bridge=True):
            return await dial(call, verb, document) or Next.VERB
        case Redirect():
            call.answer()
            return Request(document.resolve(verb.url), verb.method)
        case _:
            call.answer()
            return await _perform_answered(call, verb, document)


async def _perform_answered(
    call: Call, verb: Say | Play | Gather | Connect | Dial, document: Document
) -> Request | Next:
    match verb:
        case Say() | Play():
            await let_hear(call, verb, document)
            return Next.VERB
        case Gather():
            return await gather(call, verb, document) or Next.VERB
        case Connect():
            return await _connect(call, verb, document)
        case Dial():
            return await dial(call, verb, document) or Next.VERB


async def _connect(call: Call, verb: Connect, document: Document) -> Request | Next:
    follow_up = None if verb.action is None else Request(document.resolve(verb.action), verb.method)
    call.parting = follow_up  # asked as well when the call ends while the stream lasts
    stream = MediaStream(call.account.exchange, verb.stream, call.sid, call.phone, call.warn)
    call.report.streams.append(stream.report)
    call.note("stream", stream.report.stream_sid)
    try:
        await stream.run()
        call.note("stream closed by the application", str(stream.report.close_code))
    except StreamFailedError as error:
        call.warn(error.code, error.reason)
    call.parting = None
    return follow_up or Next.VERB
