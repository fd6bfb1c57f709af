"""Checks Twilio's signatures, with Twilio's own library."""

from collections.abc import Mapping

from pydantic import SecretStr
from twilio.request_validator import RequestValidator


def request_is_signed(auth_token: SecretStr, signature: str | None, url: str, params: Mapping[str, str]) -> bool:
    """Whether Twilio sent this request.

    Args:
        signature: the header `X-Twilio-Signature`, None when there was none.
        url: as it was given to Twilio: public host, path and query, with their percent-encoding untouched.
        params: the fields of a form, blank ones included; a multi-dict (`getlist`) if names repeat. Empty for GET.
    """
    return bool(signature) and RequestValidator(auth_token.get_secret_value()).validate(url, params, signature)


def handshake_is_signed(auth_token: SecretStr, signature: str, stream_url: str) -> bool:
    """Whether Twilio opened this media stream.

    Twilio signs the `wss://` URL of the TwiML, in some cases with a slash added to it (openai-agents 0.24,
    examples/realtime/twilio), so both forms are valid.
    """
    bare = stream_url.rstrip("/")
    return any(request_is_signed(auth_token, signature, url, {}) for url in (bare, f"{bare}/"))
