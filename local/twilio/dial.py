"""<Dial>: the call is connected with another phone, or with a conference, and goes on when that is over.

The action is asked for one who has hung up as well, without its answer being followed.
"""

import math
from collections.abc import Mapping
from dataclasses import replace

from local.twilio.call import Call, Setup
from local.twilio.conferring import confer
from local.twilio.e164 import E164
from local.twilio.mixer import two_parties
from local.twilio.report import EndedBy
from local.twilio.sound import Tune, ringback
from local.twilio.twiml import Conference, Dial, Document, Number
from local.twilio.twiml_schema import LONGEST_CALL_S
from local.twilio.webhook import Request


async def dial(call: Call, verb: Dial, document: Document) -> Request | None:
    """Performs the verb; None when the next verb is to follow."""
    action = None if verb.action is None else Request(document.resolve(verb.action), verb.method)
    match verb.noun:
        case Conference() as conference:
            call.answer()
            call.parting = action and replace(action, fields={"DialCallStatus": "answered"})
            status = await confer(call, verb, conference, document)
            if status is None:
                action = None  # it was not let in: the next verb follows
            fields: Mapping[str, str] = {"DialCallStatus": status or "failed"}
        case Number() as number:
            fields = await _ring(call, verb, number, document, action)
    call.parting = None
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
        Request(document.resolve(number.url), number.method) if number.url else None,
        direction="outbound-dial",
        parent_call_sid=call.sid,
        limit_s=LONGEST_CALL_S,
        status=replace(number.status, url=status_url),
    )
    leg = call.account.place(setup, verb.timeout_s)
    bridged = False
    try:
        with call.phone.connected(Tune(ringback())):
            await call.phone.until(lambda: leg.waits or _is_out(leg), math.inf)
        if bridged := leg.waits and not _is_out(leg):
            call.answer()
            await _talk(call, leg, verb)
    finally:
        if not leg.redirected:
            leg.end(EndedBy.OTHER_PARTY, "completed" if leg.answered else "no-answer")
        fields = _outcome(leg, bridged=bridged)
        call.parting = action and replace(action, fields=fields)
    return fields


def _problem(call: Call, number: str, caller_id: str) -> tuple[int, str] | None:
    numbers = call.account.numbers
    if not E164.fullmatch(number):
        return 13223, f"<Dial> of {number!r}: the number is not of the form +15551234567"
    if numbers is not None and caller_id not in {*numbers, call.report.from_, call.report.to}:
        return 13214, f"callerId of <Dial> is {caller_id!r}; it must be a number of the account or of this call"
    return None


def _is_out(leg: Call) -> bool:
    return leg.redirected or not leg.in_progress


async def _talk(call: Call, leg: Call, verb: Dial) -> None:
    party, other = two_parties()
    leg.other_party.set_result(other)
    call.note("connected", leg.sid)
    leg.note("connected", call.sid)
    with call.phone.connected(party.ear, party):
        await call.phone.until(
            lambda: _is_out(leg) or (verb.hangup_on_star and party.pressed_star), verb.time_limit_s * 1000
        )
    call.note("disconnected", leg.sid)


def _outcome(leg: Call, *, bridged: bool) -> dict[str, str]:
    status = "completed" if leg.answered else leg.report.status
    fields = {"DialCallStatus": status, "DialCallSid": leg.sid, "DialBridged": str(bridged).lower()}
    return fields if leg.redirected else fields | {"DialCallDuration": str(leg.report.talked_s)}
