"""The socket to OpenAI's Realtime API."""

import hashlib
import hmac
from typing import Final
from urllib.parse import quote

from pydantic import SecretStr
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidStatus, InvalidURI

_OPEN_TIMEOUT_S: Final = 4
# A retrieved item carries its audio; nothing else comes near this.
_MAX_EVENT_BYTES: Final = 16 * 1024 * 1024


class ModelUnreachable(Exception):
    """No session could be opened; the message is fit for the log."""

    def __init__(self, message: str, *, final: bool) -> None:
        super().__init__(message)
        self.final = final


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

    Raises:
        ModelUnreachable: when there is none; `final` if another try would end alike, as with a refused key.
    """
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
        final = status < 500 and status not in (408, 429)
        raise ModelUnreachable(f"model_refused_connection: HTTP {status}", final=final) from refusal
    except (InvalidHandshake, InvalidURI, OSError, TimeoutError) as failure:
        raise ModelUnreachable(f"model_unreachable: {type(failure).__name__}", final=False) from failure
