"""Twilio's REST API, against a real HTTP server."""

from base64 import b64encode
from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from shared.twilio import rest as telephony
from shared.twilio.calls import PERSONS_CALL_LIMIT_S
from shared.twilio.rest import (
    CallIsOver,
    CallNotPlaced,
    CallNotRedirected,
    CallUnknown,
    SmsNotAccepted,
    Telephony,
    is_messaging_service,
)
from tests.twilio_rest import TwilioRest

TO, FROM = "+15551234567", "+15557654321"


@pytest.fixture
def rest() -> Iterator[TwilioRest]:
    """A test double of Twilio's REST API."""
    with TwilioRest() as rest:
        yield rest


@pytest.fixture
def phone(rest: TwilioRest) -> Telephony:
    """An account at that API."""
    return Telephony("AC1", SecretStr("token"), rest.url)


class TestSendSms:
    """Telephony.send_sms"""

    def test_accepted(self, rest: TwilioRest, phone: Telephony) -> None:
        """The message goes to the set URL in the form that Twilio requires; its sid is returned."""
        assert phone.send_sms(TO, FROM, "hello").startswith("SM")
        assert rest.messages == [{"To": TO, "From": FROM, "Body": "hello", "SmartEncoded": "true"}]
        authorization = "Basic " + b64encode(b"AC1:token").decode()
        assert rest.requests == [("/2010-04-01/Accounts/AC1/Messages.json", authorization)]

    def test_from_a_messaging_service(self, rest: TwilioRest, phone: Telephony) -> None:
        """A messaging service has its own field."""
        phone.send_sms(TO, "MG" + "0" * 32, "hello")
        assert rest.messages[0]["MessagingServiceSid"] == "MG" + "0" * 32
        assert "From" not in rest.messages[0]

    @pytest.mark.parametrize(("status", "code"), [(400, 21211), (503, 20503)])
    def test_refused(self, rest: TwilioRest, phone: Telephony, status: int, code: int) -> None:
        """The error has Twilio's code, but not the number that Twilio quotes, nor has its context."""
        rest.refuse[TO] = status
        with pytest.raises(SmsNotAccepted, match=f"{status}, error {code}") as error:
            phone.send_sms(TO, FROM, "hello")
        assert TO not in str(error.value)
        assert error.value.__cause__ is None
        assert error.value.__suppress_context__

    @pytest.mark.parametrize("status", [200, 502])
    def test_something_else_answers(self, rest: TwilioRest, phone: Telephony, status: int) -> None:
        """A proxy's page does not count as Twilio's answer, whatever its status."""
        rest.refuse[TO] = status
        with pytest.raises(SmsNotAccepted):
            phone.send_sms(TO, FROM, "hello")

    def test_no_answer_in_time(self, rest: TwilioRest, monkeypatch: pytest.MonkeyPatch) -> None:
        """If Twilio does not answer, a time-out raises the error."""
        monkeypatch.setattr(telephony, "READ_TIMEOUT_S", 0.1)
        rest.hang.set()
        with pytest.raises(SmsNotAccepted, match="ReadTimeout"):
            Telephony("AC1", SecretStr("token"), rest.url).send_sms(TO, FROM, "hello")

    def test_nobody_there(self) -> None:
        """A refused connection raises the same error."""
        with pytest.raises(SmsNotAccepted, match="ConnectionError"):
            Telephony("AC1", SecretStr("token"), "http://127.0.0.1:9").send_sms(TO, FROM, "hello")

    def test_a_path_in_the_url_stays(self, rest: TwilioRest) -> None:
        """`TWILIO_API_URL` may have a path."""
        Telephony("AC1", SecretStr("token"), f"{rest.url}/twilio").send_sms(TO, FROM, "hello")
        assert rest.requests[0][0] == "/twilio/2010-04-01/Accounts/AC1/Messages.json"


URL, ENDED = "https://api.example.com/desk/token/offer", "https://api.example.com/desk/token/leg-ended"


class TestCall:
    """Telephony.call"""

    def test_placed(self, rest: TwilioRest, phone: Telephony) -> None:
        """With one URL for the answered call and one for its end; the call's sid is returned."""
        assert phone.call(TO, FROM, URL, ENDED, 25).startswith("CA")
        assert rest.calls == [
            {
                "To": TO,
                "From": FROM,
                "Url": URL,
                "Method": "POST",
                "StatusCallback": ENDED,
                "StatusCallbackMethod": "POST",
                "StatusCallbackEvent": "completed",
                "Timeout": "25",
                "TimeLimit": str(PERSONS_CALL_LIMIT_S),
            }
        ]
        assert rest.requests[0][0] == "/2010-04-01/Accounts/AC1/Calls.json"

    @pytest.mark.parametrize(("status", "code"), [(400, 21211), (503, 20503)])
    def test_refused(self, rest: TwilioRest, phone: Telephony, status: int, code: int) -> None:
        """The error has Twilio's code, but not the number."""
        rest.refuse[TO] = status
        with pytest.raises(CallNotPlaced, match=f"{status}, error {code}") as error:
            phone.call(TO, FROM, URL, ENDED, 25)
        assert TO not in str(error.value)
        assert error.value.__suppress_context__

    def test_no_answer_in_time(self, rest: TwilioRest, monkeypatch: pytest.MonkeyPatch) -> None:
        """If Twilio does not answer, a time-out raises the error."""
        monkeypatch.setattr(telephony, "READ_TIMEOUT_S", 0.1)
        rest.hang.set()
        with pytest.raises(CallNotPlaced, match="ReadTimeout"):
            Telephony("AC1", SecretStr("token"), rest.url).call(TO, FROM, URL, ENDED, 25)


class TestStatusOf:
    """Telephony.status_of"""

    def test_a_call(self, rest: TwilioRest, phone: Telephony) -> None:
        """Twilio's own status; None for a call that Twilio does not know."""
        rest.call_statuses["CA1"] = "in-progress"
        assert phone.status_of("CA1") == "in-progress"
        assert phone.status_of("CA2") is None
        assert rest.requests[0][0] == "/2010-04-01/Accounts/AC1/Calls/CA1.json"

    def test_nobody_knows(self, rest: TwilioRest, phone: Telephony) -> None:
        """No answer is an error, unlike the answer that there is no such call."""
        rest.refuse["CA1"] = 503
        with pytest.raises(CallUnknown, match="503, error 20503"):
            phone.status_of("CA1")
        with pytest.raises(CallUnknown, match="ConnectionError"):
            Telephony("AC1", SecretStr("token"), "http://127.0.0.1:9").status_of("CA1")


class TestRedirect:
    """Telephony.redirect"""

    def test_redirected(self, rest: TwilioRest, phone: Telephony) -> None:
        """The call gets its TwiML from another URL; it may be repeated."""
        rest.call_statuses["CA1"] = "in-progress"
        for _ in range(2):
            phone.redirect("CA1", URL)
        assert rest.redirected == [("CA1", URL)] * 2

    @pytest.mark.parametrize(("status", "code"), [(400, 21220), (404, 20404)])
    def test_over(self, rest: TwilioRest, phone: Telephony, status: int, code: int) -> None:
        """Twilio says that the call is over or unknown."""
        rest.refuse["CA1"] = status
        with pytest.raises(CallIsOver, match=f"{status}, error {code}") as error:
            phone.redirect("CA1", URL)
        assert isinstance(error.value, CallNotRedirected)

    def test_away(self, rest: TwilioRest, phone: Telephony) -> None:
        """An error of Twilio does not mean that the call is over."""
        rest.refuse["CA1"] = 503
        with pytest.raises(CallNotRedirected, match="503, error 20503") as error:
            phone.redirect("CA1", URL)
        assert not isinstance(error.value, CallIsOver)


def test_who_may_place_calls() -> None:
    """A messaging service cannot place calls."""
    assert is_messaging_service("MG" + "0" * 32)
    assert not is_messaging_service(FROM)
