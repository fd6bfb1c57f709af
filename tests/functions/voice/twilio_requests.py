"""Requests as Twilio makes them, signed with Twilio's library."""

from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree as ET

from fastapi.testclient import TestClient
from twilio.request_validator import RequestValidator

PUBLIC_URL = "https://voice.example.com"
GATEWAY = "abc.execute-api.us-east-1.amazonaws.com"
STREAM_URL = "wss://worker.example.com/media-stream"
AUTH_TOKEN = "the auth token"
SIGNING_KEY = "the signing key"
CALL_SID = "CA" + "1" * 32
CALLER, CALLED = "+15551234567", "+15557654321"

CALL = {
    "CallSid": CALL_SID,
    "AccountSid": "AC" + "1" * 32,
    "From": CALLER,
    "To": CALLED,
    "CallStatus": "in-progress",
    "Direction": "inbound",
    "ApiVersion": "2010-04-01",
    "CallerName": "",
}


def signature(url: str, fields: Any = None) -> str:
    """Twilio's signature for a request to this URL with these form fields."""
    return str(RequestValidator(AUTH_TOKEN).compute_signature(url, fields or {}))


def signed(path: str, fields: dict[str, str] | None = None, public_url: str = PUBLIC_URL) -> dict[str, str]:
    """The headers of a POST."""
    return {
        "X-Twilio-Signature": signature(public_url + path, fields),
        "Content-Type": "application/x-www-form-urlencoded",
    }


def stream_ended(web: TestClient, **fields: str) -> str:
    """The TwiML for this call, with some of its fields changed, when its stream has ended."""
    return _answer(web, "/stream-ended", fields)


def transfer_ended(web: TestClient, **fields: str) -> str:
    """The TwiML for this call when the caller has left the conference."""
    return _answer(web, "/transfer-ended", {"DialCallStatus": "answered", **fields})


def _answer(web: TestClient, path: str, fields: dict[str, str]) -> str:
    form = {**CALL, **fields}
    answer = web.post(path, data=form, headers=signed(path, form))
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/xml; charset=utf-8")
    return answer.text


def last_words(twiml: str) -> str:
    """What Twilio says before it hangs up, in TwiML that does nothing else."""
    ((verb, text), (last, _)) = verbs(twiml)
    assert (verb, last) == ("Say", "Hangup")
    return text


def verbs(twiml: str) -> list[tuple[str, str]]:
    """The TwiML's verbs in order, each with its text."""
    root = ET.fromstring(twiml)  # noqa: S314 # our own XML
    assert root.tag == "Response"
    return [(verb.tag, verb.text or "") for verb in root]


def parameters(twiml: str) -> dict[str, str]:
    """The stream's parameters."""
    root = ET.fromstring(twiml)  # noqa: S314 # our own XML
    return {found.attrib["name"]: found.attrib["value"] for found in root.iterfind("./Connect/Stream/Parameter")}


def event(path: str, fields: dict[str, str] | None = None, **changed: Any) -> dict[str, Any]:
    """An HTTP API event, payload format 2.0, as API Gateway sends it for a POST of these fields."""
    stage = changed.pop("stage", "$default")
    return {
        "version": "2.0",
        "routeKey": f"POST {path}",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {
            "content-type": "application/x-www-form-urlencoded",
            "host": GATEWAY,
        },
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "abc",
            "domainName": GATEWAY,
            "http": {
                "method": "POST",
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.1",
                "userAgent": "TwilioProxy/1.1",
            },
            "requestId": "id",
            "routeKey": f"POST {path}",
            "stage": stage,
            "time": "22/Nov/2026:10:00:00 +0000",
            "timeEpoch": 1795341600000,
        },
        "body": urlencode(fields or {}),
        "isBase64Encoded": False,
        **changed,
    }
