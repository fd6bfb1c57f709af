"""An HTTP client with which Twilio's SDK uses another address."""

from typing import Any

from twilio.http.http_client import TwilioHttpClient
from twilio.http.response import Response


class Redirected(TwilioHttpClient):
    """Sends requests for api.twilio.com to `api_url`."""

    def __init__(self, api_url: str, timeout_s: float = 10.0) -> None:
        super().__init__(timeout=timeout_s)
        self._api_url = api_url

    def request(self, method: str, url: str, *args: Any, **options: Any) -> Response:  # type: ignore[override]
        # The SDK passes all arguments after the URL by name.
        return super().request(method, url.replace("https://api.twilio.com", self._api_url), *args, **options)
