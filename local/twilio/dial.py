"""<Dial>: connects the call with another phone or a conference; the call goes on when that is over.

The action is also requested after a hang-up, but its answer is then not performed.
"""

import math
from collections.abc import Mapping
from dataclasses import replace

from local.twilio.call import Call, Party, Setup
from local.twilio.conference import confer
from local.twilio.ears import Tune, ringback
from local.twilio.report import EndedBy
from local.twilio.twiml import LONGEST_CALL_S, Conference, Dial, Document, Number
from local.twilio.webhook import E164, Request


async def dial(call: Call, verb: Dial, document: Document) -> Request | None:
    """Performs the verb; returns the next request, or None to go on with the next verb."""
    action = None if verb.action is None else Request(document.resolve(verb.action), verb.method)
    fields: Mapping[str, str] = {"DialCallStatus": "answered"}
    match verb.noun:
        case Conference() as conference:
            call.answer()
            call.last_request = action and replace(action, fields=fields)
            if not await confer(call, verb, conference, document):
                action = None  # the next verb follows
        case Number() as number:
            fields = await _ring(call, verb, number, document, action)
    call.last_request = None
    return action and replace(action, fields=fields)


async def _ring(
    call: Call, verb: Dial, number: Number, document: Document, action: Request | None
) -> Mapping[str, str]:
    caller_id = verb.caller_id or call.report.from_
    if problem := _problem(call, number.number, caller_id):
        call.warn(*problem)
        return {"DialCallStatus": "failed"}
    status_url = number.status.url and document.resolve(number.status.url)
    setup = Setup(
        caller_id,
        number.number,
        None,
        direction="outbound-dial",
        parent_call_sid=call.sid,
        limit_s=LONGEST_CALL_S,
        status=replace(number.status, url=status_url),
    )
    leg = call.account.place(setup, verb.timeout_s)
    try:
        with call.phone.connected(Tune(ringback())):
            await call.phone.until(lambda: leg.answered or not leg.in_progress, math.inf)
        if leg.in_progress:
            call.answer()
            await _talk(call, leg, verb)
    finally:
        leg.end(EndedBy.OTHER_PARTY, "completed" if leg.answered else "no-answer")
        fields = _outcome(leg)
        call.last_request = action and replace(action, fields=fields)
    return fields


def _problem(call: Call, number: str, caller_id: str) -> tuple[int, str] | None:
    numbers = call.account.numbers
    if not E164.fullmatch(number):
        return 13223, f"<Dial> of {number!r}: the number is not of the form +15551234567"
    if numbers is not None and caller_id not in {*numbers, call.report.from_, call.report.to}:
        return 13214, f"callerId of <Dial> is {caller_id!r}; it must be a number of the account or of this call"
    return None


async def _talk(call: Call, leg: Call, verb: Dial) -> None:
    party, other = Party(), Party()
    party.other, other.other = other, party
    leg.connected.set_result(other)
    call.note("connected", leg.sid)
    leg.note("connected", call.sid)
    with call.phone.connected(party.ear, party):
        await call.phone.until(lambda: not leg.in_progress, verb.time_limit_s * 1000)
    call.note("disconnected", leg.sid)


def _outcome(leg: Call) -> dict[str, str]:
    return {
        "DialCallStatus": "completed" if leg.answered else leg.report.status,
        "DialCallSid": leg.sid,
        "DialBridged": str(leg.connected.done()).lower(),
        "DialCallDuration": str(leg.report.talked_s),
    }
