"""The Lambda handler, with events as API Gateway sends them."""

import asyncio
from base64 import b64encode
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest

from functions.voice.app import handler
from tests.functions.voice.twilio_requests import CALL, PUBLIC_URL, event, parameters, signature, verbs

CONTEXT: Any = None  # Mangum passes it on and does not use it


def with_signature(request: dict[str, Any], url: str, fields: dict[str, str] | None = None) -> dict[str, Any]:
    """The event with Twilio's signature for this URL."""
    return {**request, "headers": {**request["headers"], "x-twilio-signature": signature(url, fields)}}


def connected(answer: dict[str, Any]) -> bool:
    """Whether the call was connected; an apology has the same status."""
    return answer["statusCode"] == 200 and verbs(answer["body"])[0][0] == "Connect"


@pytest.fixture
def main_thread() -> Iterator[None]:
    """Sets an event loop that is not running, as Mangum expects of the main thread."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    asyncio.set_event_loop(None)
    loop.close()


@pytest.mark.usefixtures("environ", "main_thread")
class TestHandler:
    """functions.voice.app.handler"""

    def test_a_post(self) -> None:
        """TwiML as text, not as base64."""
        answer = handler(with_signature(event("/incoming-call", CALL), f"{PUBLIC_URL}/incoming-call", CALL), CONTEXT)
        assert (answer["statusCode"], answer["isBase64Encoded"]) == (200, False)
        assert answer["headers"]["content-type"] == "text/xml; charset=utf-8"
        assert verbs(answer["body"])[0][0] == "Connect"

    def test_a_base64_body(self) -> None:
        """API Gateway may encode any body."""
        body = b64encode(urlencode(CALL).encode()).decode()
        request = event("/incoming-call", body=body, isBase64Encoded=True)
        assert connected(handler(with_signature(request, f"{PUBLIC_URL}/incoming-call", CALL), CONTEXT))

    def test_a_body_that_is_no_base64(self) -> None:
        """It counts as empty, so the signature is wrong."""
        request = event("/incoming-call", body="abcde", isBase64Encoded=True)
        answer = handler(with_signature(request, f"{PUBLIC_URL}/incoming-call", CALL), CONTEXT)
        assert answer["statusCode"] == 403

    def test_a_get(self) -> None:
        """The query is used as it was sent: its order, its escapes and its blank fields are signed."""
        query = urlencode({**CALL, "z": "", "a": "ø ~"})
        request = event("/incoming-call", rawQueryString=query, body=None)
        request["requestContext"]["http"]["method"] = "GET"
        answer = handler(with_signature(request, f"{PUBLIC_URL}/incoming-call?{query}"), CONTEXT)
        assert connected(answer)
        assert parameters(answer["body"])["caller"] == CALL["From"]

    def test_an_escaped_path(self) -> None:
        """The signature covers the path as it was sent; the route is found by the decoded path."""
        request = event("/incoming%2Dcall", CALL)
        answer = handler(with_signature(request, f"{PUBLIC_URL}/incoming%2Dcall", CALL), CONTEXT)
        assert connected(answer)

    @pytest.mark.parametrize("public_url", ["https://abc.example.com/prod", "https://abc.example.com/prod/"])
    def test_a_stage(self, environ: pytest.MonkeyPatch, public_url: str) -> None:
        """The stage is in the event's path and in PUBLIC_URL; it is signed once, and ignored for the route."""
        environ.setenv("PUBLIC_URL", public_url)
        request = event("/prod/incoming-call", CALL, stage="prod")
        signed = with_signature(request, "https://abc.example.com/prod/incoming-call", CALL)
        answer = handler(signed, CONTEXT)
        assert connected(answer)
        assert 'action="https://abc.example.com/prod/stream-ended"' in answer["body"]

    def test_a_stage_behind_a_custom_domain(self, environ: pytest.MonkeyPatch) -> None:
        """The event's path may have the stage although the URL that Twilio was given does not."""
        environ.setenv("PUBLIC_URL", "https://voice.example.com")
        request = event("/prod/incoming-call", CALL, stage="prod")
        answer = handler(with_signature(request, "https://voice.example.com/incoming-call", CALL), CONTEXT)
        assert connected(answer)

    def test_a_base_path_of_a_custom_domain(self, environ: pytest.MonkeyPatch) -> None:
        """The event's path has the mapping's base path, as the URL does, and not the stage."""
        environ.setenv("PUBLIC_URL", "https://example.com/phone")
        request = event("/phone/incoming-call", CALL, stage="prod")
        answer = handler(with_signature(request, "https://example.com/phone/incoming-call", CALL), CONTEXT)
        assert connected(answer)

    def test_no_signature(self) -> None:
        """403, with JSON that says so."""
        answer = handler(event("/incoming-call", CALL), CONTEXT)
        assert answer["statusCode"] == 403
        assert "no signature" in answer["body"]

    def test_a_rest_api(self) -> None:
        """An event of a REST API, the older kind, has no stage in its path and is served too."""
        request = {
            "resource": "/incoming-call",
            "path": "/incoming-call",
            "httpMethod": "POST",
            "headers": {
                "Content-Type": "application/x-www-form-urlencoded",
                "X-Twilio-Signature": signature(f"{PUBLIC_URL}/incoming-call", CALL),
            },
            "multiValueHeaders": {},
            "queryStringParameters": None,
            "multiValueQueryStringParameters": None,
            "requestContext": {"stage": "prod", "identity": {"sourceIp": "192.0.2.1"}},
            "body": urlencode(CALL),
            "isBase64Encoded": False,
        }
        assert connected(handler(request, CONTEXT))
