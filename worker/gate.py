"""Who may speak on the worker's socket: Twilio, for a call that the voice function has answered, and only once."""

import asyncio
from dataclasses import dataclass
from typing import Final

from pydantic import SecretStr

from shared import stream_token
from shared.call_store import StoreUnavailable, TokenAlreadyUsed
from shared.logs import logger
from shared.phone_numbers import caller_name
from worker import media_stream
from worker.media_stream import MalformedMessage, MediaFormat, Start
from worker.sockets.receiver import SocketLost
from worker.sockets.web_socket import WebSocket
from worker.storage import Storage
from worker.transcript import Past

_START_WITHIN_S: Final = 5
_MU_LAW: Final = MediaFormat("audio/x-mulaw", 8000, 1)

_log = logger("worker")


class StreamRefused(Exception):
    """This stream is not let in. The reason is for the log; the peer learns no more than that it is refused."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """A stream that belongs to a call, with its past if another worker had that call before.

    `resumptions` is how often the call had been resumed when Twilio was told to open the stream.
    """

    stream_sid: str
    call_sid: str
    caller: str
    called: str
    past: Past | None = None
    resumptions: int = 0


async def admit(stream: WebSocket, signing_key: SecretStr, storage: Storage) -> Admitted:
    """Waits for `start` and uses up its token.

    Raises:
        StreamRefused: when there is no valid `start` within 5 s, or its token does not let it in.
    """
    start = await _receive_start(stream)
    parameters = start.start.custom_parameters
    call_sid = start.start.call_sid
    if start.start.media_format != _MU_LAW:
        raise StreamRefused(f"media format is {start.start.media_format}, must be {_MU_LAW}")
    if not (resumptions := parameters.get("resumptions", "0")).isdecimal():
        raise StreamRefused("resumptions is no number")
    try:
        token_id = stream_token.verify(signing_key, parameters.get("token", ""), call_sid)
        caller, called = caller_name(parameters.get("caller", "")), parameters.get("called", "")
        await storage.claim_stream(call_sid, token_id, caller=caller, called=called)
    except stream_token.InvalidStreamToken as invalid:
        raise StreamRefused(f"token is {invalid.reason}") from invalid
    except TokenAlreadyUsed as used:
        raise StreamRefused("token was used before") from used
    except StoreUnavailable as unavailable:
        # Whether the token was used cannot be known, and a model's minute costs money.
        raise StreamRefused(f"token cannot be checked: {unavailable}") from unavailable
    past = await _past(call_sid, parameters["resumed"], storage) if "resumed" in parameters else None
    return Admitted(start.stream_sid, call_sid, caller, called, past, int(resumptions))


async def _past(call_sid: str, resumed: str, storage: Storage) -> Past | None:
    try:
        turns, lives = await asyncio.gather(storage.turns(call_sid), storage.lives(call_sid))
    except StoreUnavailable as unavailable:
        # Better an agent that must ask again than no agent.
        _log.warning("what was before cannot be read", call_sid=call_sid, error=str(unavailable))
        return None
    if not turns and not lives:
        return None
    return Past(turns, apologise=resumed == "lost", returned=resumed == "returned", lives=lives)


async def _receive_start(stream: WebSocket) -> Start:
    try:
        async with asyncio.timeout(_START_WITHIN_S):
            while True:
                message = media_stream.decode(await stream.receive())
                if isinstance(message, Start):
                    return message
                if not isinstance(message, media_stream.Connected | None):
                    raise StreamRefused(f"{type(message).__name__} came before start")
    except TimeoutError as late:
        raise StreamRefused(f"no start within {_START_WITHIN_S} s") from late
    except MalformedMessage as malformed:
        raise StreamRefused(str(malformed)) from malformed
    except SocketLost as closed:
        raise StreamRefused("closed before start") from closed
