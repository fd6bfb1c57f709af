"""Who may speak on the worker's socket: Twilio, for a call that the voice function has answered, and only once."""

import asyncio
import re
from dataclasses import dataclass
from typing import Final

from pydantic import SecretStr

from shared.calls import stream_token
from shared.calls.store import StoreUnavailable, TokenAlreadyUsed
from shared.logs import logger
from shared.numbers.phone_numbers import caller_name
from worker.call.bridge import AdmittedStream
from worker.conversation.resumption import ResumedCall
from worker.storage import Storage
from worker.twilio import media_stream
from worker.twilio.media_stream import MalformedMessage, MediaFormat, Start
from worker.websocket.connection import WebSocket
from worker.websocket.receiver import SocketLost

_START_WITHIN_S: Final = 5
# A stranger who says nothing holds a place for less long than Twilio may.
_UNSIGNED_START_WITHIN_S: Final = 2
_COUNT: Final = re.compile(r"[0-9]{1,3}")
_MU_LAW: Final = MediaFormat("audio/x-mulaw", 8000, 1)

_log = logger("worker")


class StreamRefused(Exception):
    """This stream is not admitted. The peer learns no more than that.

    The reason is for the log. It is in our words alone, because a stranger must not be able to write there.
    """


@dataclass(frozen=True, slots=True)
class VerifiedStart:
    """The `start` message of a stream whose token was minted for its call. Whether it was used before is not known."""

    stream_sid: str
    call_sid: str
    token_id: str
    caller: str
    called: str
    resumed: str | None  # why the call comes back, if it does
    resumptions: int


async def verified_start(stream: WebSocket, signing_key: SecretStr, *, signed: bool) -> VerifiedStart:
    """Waits for `start`, verifies its token, and then trusts the stream.

    Args:
        signed: whether the handshake had Twilio's signature; without it there is less time.

    Raises:
        StreamRefused: when there is no valid `start` within 5 s (2 s), or its token is not for this call.
    """
    start = await _receive_start(stream, _START_WITHIN_S if signed else _UNSIGNED_START_WITHIN_S)
    parameters, call_sid = start.start.custom_parameters, start.start.call_sid
    if start.start.media_format != _MU_LAW:
        raise StreamRefused("media format is not mu-law, 8 kHz, one channel")
    if not _COUNT.fullmatch(resumptions := parameters.get("resumptions", "0")):
        raise StreamRefused("resumptions is no number of up to three digits")
    try:
        token_id = stream_token.verify(signing_key, parameters.get("token", ""), call_sid)
    except stream_token.InvalidStreamToken as invalid:
        raise StreamRefused(f"token is {invalid.reason}") from invalid
    stream.trust()
    caller, called = caller_name(parameters.get("caller", "")), parameters.get("called", "")
    resumed = parameters.get("resumed")
    return VerifiedStart(start.stream_sid, call_sid, token_id, caller, called, resumed, int(resumptions))


async def admit(start: VerifiedStart, storage: Storage) -> AdmittedStream:
    """Uses the token up.

    Raises:
        StreamRefused: when it was used before, or that cannot be known.
    """
    try:
        await storage.claim_stream(start.call_sid, start.token_id, caller=start.caller, called=start.called)
    except TokenAlreadyUsed as used:
        raise StreamRefused("token was used before") from used
    except StoreUnavailable as unavailable:
        # Whether the token was used cannot be known, and a model's minute costs money.
        raise StreamRefused(f"token cannot be checked: {unavailable}") from unavailable
    past = await _past(start.call_sid, start.resumed, storage) if start.resumed is not None else None
    return AdmittedStream(start.stream_sid, start.call_sid, start.caller, start.called, past, start.resumptions)


async def _past(call_sid: str, resumed: str, storage: Storage) -> ResumedCall | None:
    try:
        turns, records = await asyncio.gather(storage.turns(call_sid), storage.escalation_records(call_sid))
    except StoreUnavailable as unavailable:
        # Better an agent that must ask again than no agent.
        _log.warning("what was before cannot be read", call_sid=call_sid, error=str(unavailable))
        return None
    if not turns and not records:
        return None
    return ResumedCall(turns, apologise=resumed == "lost", returned=resumed == "returned", records=records)


async def _receive_start(stream: WebSocket, within_s: float) -> Start:
    try:
        async with asyncio.timeout(within_s):
            while True:
                message = media_stream.decode(await stream.receive())
                if isinstance(message, Start):
                    return message
                if not isinstance(message, media_stream.Connected | None):
                    raise StreamRefused(f"{type(message).__name__} came before start")
    except TimeoutError as late:
        raise StreamRefused(f"no start within {within_s} s") from late
    except MalformedMessage as malformed:
        raise StreamRefused("a message before start is malformed") from malformed
    except SocketLost as closed:
        raise StreamRefused("too much came before start" if stream.overran else "closed before start") from closed
