"""The socket to OpenAI's Realtime API."""

import hashlib
import hmac
from typing import Final
from urllib.parse import quote

from pydantic import SecretStr

from worker.websocket.client import ClientSocket, HandshakeFailed, connect
from worker.websocket.connection import Limits

_LIMITS: Final = Limits(
    message_bytes=16 * 2**20,  # a retrieved item contains its audio; all other messages are far smaller
    unsent_bytes=2**20,  # more than a minute of the caller's audio
    open_s=4,
)


class ModelUnreachable(Exception):
    """No session could be opened. The message contains no secret and may be logged."""

    def __init__(self, message: str, *, final: bool) -> None:
        super().__init__(message)
        self.final = final


def realtime_url(base_url: str, model: str) -> str:
    """Turns `http(s)://host/v1`, as OpenAI's SDK takes it, into `ws(s)://host/v1/realtime?model=…`."""
    return f"ws{base_url.removeprefix('http')}/realtime?model={quote(model, safe='')}"


def safety_identifier(signing_key: SecretStr, caller: str) -> str:
    """A stable identifier for a caller, which does not reveal the phone number to OpenAI.

    It is keyed, because a plain hash of a phone number can be reversed by trying all numbers.
    """
    return hmac.new(signing_key.get_secret_value().encode(), caller.encode(), hashlib.sha256).hexdigest()


async def open_session(base_url: str, api_key: SecretStr, model: str, identifier: str) -> ClientSocket:
    """Opens a socket; its first event is `session.created`.

    Raises:
        ModelUnreachable: when the connection fails; `final` if a retry would fail as well, as with a refused key.
    """
    headers = {
        "Authorization": f"Bearer {api_key.get_secret_value()}",
        "OpenAI-Safety-Identifier": identifier,
    }
    try:
        return await connect(realtime_url(base_url, model), headers, _LIMITS)
    except HandshakeFailed as failure:
        if failure.status is None:
            raise ModelUnreachable(f"model_unreachable: {failure}", final=False) from failure
        final = failure.status < 500 and failure.status not in (408, 429)
        raise ModelUnreachable(f"model_refused_connection: HTTP {failure.status}", final=final) from failure
    except OSError as failure:  # TimeoutError is one
        raise ModelUnreachable(f"model_unreachable: {type(failure).__name__}", final=False) from failure
