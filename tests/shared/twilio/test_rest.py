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
    """Twilio, as far as messages and calls go."""
    with TwilioRest() as rest:
        yield rest


@pytest.fixture
def phone(rest: TwilioRest) -> Telephony:
    """An account at that Twilio."""
    return Telephony("AC1", SecretStr("token"), rest.url)


class TestSendSms:
    """Telephony.send_sms"""

    def test_accepted(self, rest: TwilioRest, phone: Telephony) -> None:
        """The message goes to the set URL, as Twilio's API wants it, and its sid comes back."""
        assert phone.send_sms(TO, FROM, "hello").startswith("SM")
        assert rest.messages == [{"To": TO, "From": FROM, "Body": "hello", "SmartEncoded": "true"}]
        authorization = "Basic " + b64encode(b"AC1:token").decode()
        assert rest.requests == [("/2010-04-01/Accounts/AC1/Messages.json", authorization)]

    def test_from_a_messaging_service(self, rest: TwilioRest, phone: Telephony) -> None:
        """A messaging service is named in a field of its own."""
        phone.send_sms(TO, "MG" + "0" * 32, "hello")
        assert rest.messages[0]["MessagingServiceSid"] == "MG" + "0" * 32
        assert "From" not in rest.messages[0]

    @pytest.mark.parametrize(("status", "code"), [(400, 21211), (503, 20503)])
    def test_refused(self, rest: TwilioRest, phone: Telephony, status: int, code: int) -> None:
        """The error tells Twilio's code; the number that Twilio quotes is not in it, nor in its context."""
        rest.refuse[TO] = status
        with pytest.raises(SmsNotAccepted, match=f"{status}, error {code}") as error:
            phone.send_sms(TO, FROM, "hello")
        assert TO not in str(error.value)
        assert error.value.__cause__ is None
        assert error.value.__suppress_context__

    @pytest.mark.parametrize("status", [200, 502])
    def test_something_else_answers(self, rest: TwilioRest, phone: Telephony, status: int) -> None:
        """A proxy's page is not an answer from Twilio, whatever status it comes with."""
        rest.refuse[TO] = status
        with pytest.raises(SmsNotAccepted):
            phone.send_sms(TO, FROM, "hello")

    def test_no_answer_in_time(self, rest: TwilioRest, monkeypatch: pytest.MonkeyPatch) -> None:
        """A Twilio that hangs does not hang us."""
        monkeypatch.setattr(telephony, "READ_TIMEOUT_S", 0.1)
        rest.hang.set()
        with pytest.raises(SmsNotAccepted, match="ReadTimeout"):
            Telephony("AC1", SecretStr("token"), rest.url).send_sms(TO, FROM, "hello")

    def test_nobody_there(self) -> None:
        """Nor does one that is not there."""
        with pytest.raises(SmsNotAccepted, match="ConnectionError"):
            Telephony("AC1", SecretStr("token"), "http://127.0.0.1:9").send_sms(TO, FROM, "hello")

    def test_a_path_in_the_url_stays(self, rest: TwilioRest) -> None:
        """`TWILIO_API_URL` may be somewhere below a host."""
        Telephony("AC1", SecretStr("token"), f"{rest.url}/twilio").send_sms(TO, FROM, "hello")
        assert rest.requests[0][0] == "/twilio/2010-04-01/Accounts/AC1/Messages.json"


URL, ENDED = "https://api.example.com/desk/token/offer", "https://api.example.com/desk/token/leg-ended"


class TestCall:
    """Telephony.call"""

    def test_placed(self, rest: TwilioRest, phone: Telephony) -> None:
        """Twilio asks one URL when somebody picks up and tells the other when it is over; the call's sid comes back."""
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
        """The error tells Twilio's code, and not the number."""
        rest.refuse[TO] = status
        with pytest.raises(CallNotPlaced, match=f"{status}, error {code}") as error:
            phone.call(TO, FROM, URL, ENDED, 25)
        assert TO not in str(error.value)
        assert error.value.__suppress_context__

    def test_no_answer_in_time(self, rest: TwilioRest, monkeypatch: pytest.MonkeyPatch) -> None:
        """A Twilio that hangs does not hang us."""
        monkeypatch.setattr(telephony, "READ_TIMEOUT_S", 0.1)
        rest.hang.set()
        with pytest.raises(CallNotPlaced, match="ReadTimeout"):
            Telephony("AC1", SecretStr("token"), rest.url).call(TO, FROM, URL, ENDED, 25)


class TestStatusOf:
    """Telephony.status_of"""

    def test_a_call(self, rest: TwilioRest, phone: Telephony) -> None:
        """In Twilio's words; None for a call that Twilio does not know."""
        rest.call_statuses["CA1"] = "in-progress"
        assert phone.status_of("CA1") == "in-progress"
        assert phone.status_of("CA2") is None
        assert rest.requests[0][0] == "/2010-04-01/Accounts/AC1/Calls/CA1.json"

    def test_nobody_knows(self, rest: TwilioRest, phone: Telephony) -> None:
        """To have no answer is not to know that there is no such call."""
        rest.refuse["CA1"] = 503
        with pytest.raises(CallUnknown, match="503, error 20503"):
            phone.status_of("CA1")
        with pytest.raises(CallUnknown, match="ConnectionError"):
            Telephony("AC1", SecretStr("token"), "http://127.0.0.1:9").status_of("CA1")


class TestRedirect:
    """Telephony.redirect"""

    def test_redirected(self, rest: TwilioRest, phone: Telephony) -> None:
        """The call asks another URL; as often as it is said."""
        rest.call_statuses["CA1"] = "in-progress"
        for _ in range(2):
            phone.redirect("CA1", URL)
        assert rest.redirected == [("CA1", URL)] * 2

    @pytest.mark.parametrize(("status", "code"), [(400, 21220), (404, 20404)])
    def test_over(self, rest: TwilioRest, phone: Telephony, status: int, code: int) -> None:
        """Twilio says that there is nothing left to send anywhere."""
        rest.refuse["CA1"] = status
        with pytest.raises(CallIsOver, match=f"{status}, error {code}") as error:
            phone.redirect("CA1", URL)
        assert isinstance(error.value, CallNotRedirected)

    def test_away(self, rest: TwilioRest, phone: Telephony) -> None:
        """A Twilio that fails says nothing about the call."""
        rest.refuse["CA1"] = 503
        with pytest.raises(CallNotRedirected, match="503, error 20503") as error:
            phone.redirect("CA1", URL)
        assert not isinstance(error.value, CallIsOver)


def test_who_may_place_calls() -> None:
    """A messaging service has no voice."""
    assert is_messaging_service("MG" + "0" * 32)
    assert not is_messaging_service(FROM)
