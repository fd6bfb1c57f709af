"""The socket to OpenAI's Realtime API."""

import asyncio
import hashlib
import hmac
from typing import Final
from urllib.parse import quote

from pydantic import SecretStr
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidStatus, InvalidURI

_OPEN_TIMEOUT_S: Final = 5
_ATTEMPTS: Final = 2
_RETRY_AFTER_S: Final = 0.2
# A retrieved item carries its audio; nothing else comes near this.
_MAX_EVENT_BYTES: Final = 16 * 1024 * 1024


class ModelUnreachable(Exception):
    """No session could be opened; the message is fit for the log."""


def realtime_url(base_url: str, model: str) -> str:
    """`http(s)://host/v1` as OpenAI's SDK takes it, to the socket's `ws(s)://host/v1/realtime?model=…`."""
    return f"ws{base_url.removeprefix('http')}/realtime?model={quote(model, safe='')}"


def safety_identifier(signing_key: SecretStr, caller: str) -> str:
    """A stable name for a caller that tells OpenAI nothing about who it is.

    Keyed, because a plain hash of a phone number is undone by trying all numbers.
    """
    return hmac.new(signing_key.get_secret_value().encode(), caller.encode(), hashlib.sha256).hexdigest()


async def open_session(base_url: str, api_key: SecretStr, model: str, identifier: str) -> ClientConnection:
    """Opens a socket on which `session.created` comes first.

    What may pass (a busy or failing server, a lost packet) is tried once more; a refused key is not.

    Raises:
        ModelUnreachable: when that did not help.
    """
    for attempt in range(_ATTEMPTS):
        try:
            return await connect(
                realtime_url(base_url, model),
                additional_headers={
                    "Authorization": f"Bearer {api_key.get_secret_value()}",
                    "OpenAI-Safety-Identifier": identifier,
                },
                # Base64 of mu-law hardly shrinks, and deflate costs more than everything else on the way of a frame.
                compression=None,
                open_timeout=_OPEN_TIMEOUT_S,
                ping_interval=20,
                ping_timeout=20,
                close_timeout=2,
                max_size=_MAX_EVENT_BYTES,
            )
        except InvalidStatus as refusal:
            status = refusal.response.status_code
            if attempt + 1 == _ATTEMPTS or (status < 500 and status != 429):
                raise ModelUnreachable(f"model_refused_connection: HTTP {status}") from refusal
        except (InvalidHandshake, InvalidURI, OSError, TimeoutError) as failure:
            if attempt + 1 == _ATTEMPTS:
                raise ModelUnreachable(f"model_unreachable: {type(failure).__name__}") from failure
        await asyncio.sleep(_RETRY_AFTER_S)
    raise AssertionError("the last attempt returns or raises")
