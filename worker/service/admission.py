"""Admission of streams: only Twilio, only for a call that the voice function has answered, and only once."""

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
# Shorter than for Twilio, because anybody can open a stream without a signature.
_UNSIGNED_START_WITHIN_S: Final = 2
_COUNT: Final = re.compile(r"[0-9]{1,3}")
_MU_LAW: Final = MediaFormat("audio/x-mulaw", 8000, 1)

_log = logger("worker")


class StreamRefused(Exception):
    """This stream is not admitted. The peer is not told why.

    The reason is for the log. It contains nothing from the peer, so that a stranger cannot write into the log.
    """


@dataclass(frozen=True, slots=True)
class VerifiedStart:
    """The `start` message of a stream whose token is valid for its call. `admit` checks if it was used before."""

    stream_sid: str
    call_sid: str
    token_id: str
    caller: str
    called: str
    resumed: str | None  # why the call was resumed, if it was
    resumptions: int


async def verified_start(stream: WebSocket, signing_key: SecretStr, *, signed: bool) -> VerifiedStart:
    """Waits for `start`, verifies its token, and then marks the stream as trusted.

    Args:
        signed: whether the handshake had Twilio's signature; without it the time limit is shorter.

    Raises:
        StreamRefused: when no valid `start` comes within 5 s (unsigned: 2 s), or its token is not for this call.
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
    """Marks the token as used and loads the past of a resumed call.

    Raises:
        StreamRefused: when the token was used before, or this cannot be checked.
    """
    try:
        await storage.claim_stream(start.call_sid, start.token_id, caller=start.caller, called=start.called)
    except TokenAlreadyUsed as used:
        raise StreamRefused("token was used before") from used
    except StoreUnavailable as unavailable:
        # The token may have been used before, and every minute of a model costs money.
        raise StreamRefused(f"token cannot be checked: {unavailable}") from unavailable
    past = await _resumed_call(start.call_sid, start.resumed, storage) if start.resumed is not None else None
    return AdmittedStream(start.stream_sid, start.call_sid, start.caller, start.called, past, start.resumptions)


async def _resumed_call(call_sid: str, resumed: str, storage: Storage) -> ResumedCall | None:
    try:
        turns, records = await asyncio.gather(storage.turns(call_sid), storage.escalation_records(call_sid))
    except StoreUnavailable as unavailable:
        # An agent that must ask again is better than no agent.
        _log.warning("past of resumed call not readable", call_sid=call_sid, error=str(unavailable))
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
