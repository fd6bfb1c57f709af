"""The voice function's routes, over HTTP."""

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr

from functions.voice.settings import Announcements
from shared.calls.stream_token import verify
from tests.functions.voice.twilio_requests import (
    CALL,
    CALL_SID,
    CALLED,
    CALLER,
    PUBLIC_URL,
    SIGNING_KEY,
    STREAM_URL,
    parameters,
    signature,
    signed,
    verbs,
)

ANNOUNCEMENTS = Announcements()


class TestIncomingCall:
    """GET and POST /incoming-call"""

    def test_post(self, web: TestClient) -> None:
        """The call is connected to the worker with its own token; verbs follow for the time after the stream."""
        answer = web.post("/incoming-call", data=CALL, headers=signed("/incoming-call", CALL))
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/xml; charset=utf-8")
        assert [verb for verb, _ in verbs(answer.text)] == ["Connect", "Say", "Hangup"]
        assert f'action="{PUBLIC_URL}/stream-ended" method="POST"' in answer.text
        assert f'<Stream url="{STREAM_URL}">' in answer.text
        found = parameters(answer.text)
        assert (found["caller"], found["called"]) == (CALLER, CALLED)
        assert verify(SecretStr(SIGNING_KEY), found["token"], CALL_SID)

    def test_get(self, web: TestClient) -> None:
        """With GET the fields are in the query, which the signature covers as part of the URL."""
        query = f"CallSid={CALL_SID}&From=%2B15551234567&To=%2B15557654321&CallerName=&a=%20b+c"
        url = f"/incoming-call?{query}"
        answer = web.get(url, headers={"X-Twilio-Signature": signature(PUBLIC_URL + url)})
        assert answer.status_code == 200
        assert (parameters(answer.text)["caller"], parameters(answer.text)["called"]) == (CALLER, CALLED)

    def test_post_with_a_query(self, web: TestClient) -> None:
        """A number's webhook may have a query of its own; query and form are both signed."""
        path = "/incoming-call?branch=%C3%B8st"
        assert parameters(web.post(path, data=CALL, headers=signed(path, CALL)).text)["caller"] == CALLER

    def test_a_path_with_escapes(self, web: TestClient) -> None:
        """The signature covers the path as it was sent, escapes included."""
        answer = web.post("/incoming%2Dcall", data=CALL, headers=signed("/incoming%2Dcall", CALL))
        assert parameters(answer.text)["caller"] == CALLER

    @pytest.mark.parametrize("number", ["+266696687", "", "anonymous", "Restricted"])
    def test_an_anonymous_caller(self, web: TestClient, number: str) -> None:
        """A caller who withholds their number is answered like any other."""
        fields = {**CALL, "From": number}
        answer = web.post("/incoming-call", data=fields, headers=signed("/incoming-call", fields))
        assert parameters(answer.text)["caller"] == "anonymous"

    def test_only_the_call_sid_is_needed(self, web: TestClient) -> None:
        """A call is connected without the other fields."""
        fields = {"CallSid": CALL_SID}
        answer = web.post("/incoming-call", data=fields, headers=signed("/incoming-call", fields))
        assert answer.status_code == 200
        assert parameters(answer.text).keys() == {"token", "caller"}
        assert parameters(answer.text)["caller"] == "anonymous"

    def test_repeated_fields(self, web: TestClient) -> None:
        """A field that occurs twice is signed with both of its values."""
        body = f"CallSid={CALL_SID}&Tag=2&Tag=1&Blank="
        headers = signed("/incoming-call", None)
        twice = {"CallSid": CALL_SID, "Tag": "1Tag2", "Blank": ""}  # what the signed text comes to: names and values
        headers["X-Twilio-Signature"] = signature(f"{PUBLIC_URL}/incoming-call", twice)
        assert "token" in parameters(web.post("/incoming-call", content=body, headers=headers).text)

    def test_two_calls_get_two_tokens(self, web: TestClient) -> None:
        """Even if both requests are about the same call."""
        tokens = {
            parameters(web.post("/incoming-call", data=CALL, headers=signed("/incoming-call", CALL)).text)["token"]
            for _ in range(2)
        }
        assert len(tokens) == 2

    def test_the_greeting(self, web: TestClient, environ: pytest.MonkeyPatch) -> None:
        """A greeting, if there is one, is spoken first, in the language and voice that were set."""
        environ.setenv("GREETING", "Grüezi & willkommen <hier>")
        environ.setenv("LANGUAGE", "de-CH")
        environ.setenv("VOICE", "Polly.Vicki")
        answer = web.post("/incoming-call", data=CALL, headers=signed("/incoming-call", CALL))
        assert verbs(answer.text)[0] == ("Say", "Grüezi & willkommen <hier>")
        assert answer.text.count('language="de-CH" voice="Polly.Vicki"') == 2

    def test_a_long_caller(self, web: TestClient) -> None:
        """A SIP address longer than Twilio's limit for a parameter is cut, not refused."""
        fields = {**CALL, "From": "sip:" + "a" * 600}
        found = parameters(web.post("/incoming-call", data=fields, headers=signed("/incoming-call", fields)).text)
        assert all(len(name) + len(value) < 500 for name, value in found.items())


@pytest.mark.parametrize("path", ["/incoming-call", "/stream-ended", "/transfer-ended"])
class TestBadRequests:
    """What every route for Twilio does with a request that is not Twilio's, or is malformed."""

    def test_no_signature(self, web: TestClient, path: str) -> None:
        """Refused, whatever else is wrong with it."""
        for body in (None, b"\xff", b'{"CallSid": "CA1"}'):
            answer = web.post(path, content=body)
            assert answer.status_code == 403
            assert "no signature" in answer.text

    def test_wrong_signature(self, web: TestClient, path: str) -> None:
        """Refused: signed with another token, for another URL, or for other fields."""
        for headers in (
            {"X-Twilio-Signature": "x"},
            signed(path, CALL, "https://abc.execute-api.us-east-1.amazonaws.com"),
            signed(f"{path}/", CALL),
            signed(path, {**CALL, "From": "+15550000000"}),
        ):
            answer = web.post(path, data=CALL, headers=headers)
            assert answer.status_code == 403
            assert "wrong signature" in answer.text

    def test_a_blank_field_counts(self, web: TestClient, path: str) -> None:
        """A signature that leaves out the blank field is wrong."""
        fields = {name: value for name, value in CALL.items() if value}
        assert web.post(path, data=CALL, headers=signed(path, fields)).status_code == 403

    def test_no_call_sid(self, web: TestClient, path: str) -> None:
        """The answer names what is missing."""
        for fields in ({"From": CALLER}, {**CALL, "CallSid": ""}, {}):
            answer = web.post(path, data=fields, headers=signed(path, fields))
            assert answer.status_code == 400
            assert "CallSid" in answer.text

    def test_not_a_form(self, web: TestClient, path: str) -> None:
        """The answer names the expected content type."""
        headers = {**signed(path), "Content-Type": "application/json"}
        answer = web.post(path, content=b'{"CallSid": "CA1"}', headers=headers)
        assert answer.status_code == 415
        assert "application/x-www-form-urlencoded" in answer.text

    @pytest.mark.parametrize("body", [b"CallSid=\xff", b"CallSid=%FF", "&".join(["a=1"] * 1000).encode()])
    def test_a_form_that_cannot_be_read(self, web: TestClient, path: str, body: bytes) -> None:
        """Bytes or escapes that are not UTF-8, and a thousand fields, are refused."""
        answer = web.post(path, content=body, headers=signed(path))
        assert answer.status_code == 400
        assert "form" in answer.text


class TestFaults:
    """What a caller hears when the fault is ours."""

    def test_wrong_settings(
        self, web: TestClient, environ: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        """An apology; the log names the setting. A later request reads the settings again."""
        environ.delenv("SIGNING_KEY")
        answer = web.post("/incoming-call", data=CALL, headers=signed("/incoming-call", CALL))
        assert answer.status_code == 200
        assert verbs(answer.text) == [("Say", ANNOUNCEMENTS.apology_retry), ("Hangup", "")]
        assert "SIGNING_KEY" in caplog.text
        environ.setenv("SIGNING_KEY", SIGNING_KEY)
        answer = web.post("/incoming-call", data=CALL, headers=signed("/incoming-call", CALL))
        assert verbs(answer.text)[0][0] == "Connect"

    def test_anything_else(
        self,
        web: TestClient,
        environ: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """An apology; the error is in the log and in a metric, and not in the answer."""

        def fail(*_: object) -> str:
            raise ZeroDivisionError

        environ.setattr("functions.voice.app.sign", fail)
        answer = web.post("/incoming-call", data=CALL, headers=signed("/incoming-call", CALL))
        assert answer.status_code == 200
        assert verbs(answer.text) == [("Say", ANNOUNCEMENTS.apology_retry), ("Hangup", "")]
        assert "ZeroDivisionError" in caplog.text
        assert '"UnhandledErrors":[1.0]' in capsys.readouterr().out


class TestHealth:
    """GET /health"""

    def test_well(self, web: TestClient) -> None:
        """200 and JSON, without a signature."""
        answer = web.get("/health")
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})

    def test_wrong_settings(self, web: TestClient, environ: pytest.MonkeyPatch) -> None:
        """503 without the setting's name, since anybody may request it."""
        environ.delenv("TWILIO_AUTH_TOKEN")
        answer = web.get("/health")
        assert (answer.status_code, answer.json()) == (503, {"status": "misconfigured"})


def test_nothing_else_is_served(web: TestClient) -> None:
    """No documentation, no other methods, no redirects to a host that a header named."""
    for path in ("/", "/docs", "/openapi.json", "/incoming-call/", "/health/"):
        assert web.get(path, follow_redirects=False).status_code == 404
    assert web.delete("/incoming-call").status_code == 405
    assert web.get("/stream-ended").status_code == 405


def test_numbers_are_not_logged(web: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    """The log of a call has its sid, and its numbers masked."""
    web.post("/incoming-call", data=CALL, headers=signed("/incoming-call", CALL))
    (line,) = [vars(record) for record in caplog.records if record.message == "incoming call"]
    assert (line["call_sid"], line["caller"], line["called"]) == (CALL_SID, "+1********67", "+1********21")
