"""Webhook requests, and the handling of bad answers."""

import asyncio

import pytest

from local.twilio import EndedBy, NotSimulatedError, Person, SimulatedTwilio
from local.twilio.exchange import Exchange
from tests.local.twilio.application import ACCOUNT_SID, AUTH_TOKEN, PUBLIC_URL, Application, Reply
from tests.local.twilio.probe import Probe

WEBHOOK = f"{PUBLIC_URL}/incoming-call"
APOLOGY = "We are sorry. An application error has occurred. Goodbye."


async def test_post_is_signed_and_has_the_call_in_its_form(twilio: SimulatedTwilio, application: Application) -> None:
    """Twilio's own validator accepts the request, with its empty fields, and the call is ringing."""
    application.replies["/incoming-call"] = ["<Hangup/>"]
    webhook = f"{WEBHOOK}?stage=test#rt=2000"
    report = await twilio.call(Person(), webhook=webhook, from_="+442071838750", to="+15550100200")
    asked = application.asked[0]
    assert (asked.method, asked.signed) == ("POST", True)
    assert (
        asked.fields.items()
        >= {
            "CallSid": report.call_sid,
            "AccountSid": ACCOUNT_SID,
            "From": "+442071838750",
            "Caller": "+442071838750",
            "To": "+15550100200",
            "Called": "+15550100200",
            "CallStatus": "ringing",
            "Direction": "inbound",
            "ApiVersion": "2010-04-01",
            "FromCountry": "",
            "ToCountry": "US",
        }.items()
    )


async def test_get_has_the_call_in_its_signed_query(twilio: SimulatedTwilio, application: Application) -> None:
    """With GET the fields are part of the URL, which is signed."""
    application.replies["/incoming-call"] = ["<Hangup/>"]
    report = await twilio.call(Person(), webhook=WEBHOOK, method="GET")
    asked = application.asked[0]
    assert (asked.method, asked.signed) == ("GET", True)
    assert asked.fields["CallSid"] == report.call_sid


async def test_fields_can_be_replaced_added_and_left_out(twilio: SimulatedTwilio, application: Application) -> None:
    """An anonymous caller, a new field and a missing one are signed as they are sent."""
    application.replies["/incoming-call"] = ["<Hangup/>"]
    await twilio.call(
        Person(), webhook=WEBHOOK, from_="+266696687", fields={"CallToken": None, "StirVerstat": "", "New": "é"}
    )
    asked = application.asked[0]
    assert asked.signed
    assert asked.fields["From"] == "+266696687"
    assert asked.fields["FromCity"] == ""
    assert "CallToken" not in asked.fields
    assert (asked.fields["StirVerstat"], asked.fields["New"]) == ("", "é")


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (Reply("", status=500), 11200),
        (Reply("", status=403), 11200),
        (Reply("<Response/>", content_type="text/plain"), 12300),
        (Reply("<Response>" + " " * 64 * 1024 + "</Response>"), 11750),
        (Reply("<Response><Say>"), 12100),
    ],
)
async def test_bad_answer_ends_the_call_with_an_apology(
    twilio: SimulatedTwilio, application: Application, reply: Reply, code: int
) -> None:
    """The debugger's code is reported, the caller hears an apology, and the call ends."""
    application.replies["/incoming-call"] = [reply]
    report = await twilio.call(Person(), webhook=WEBHOOK)
    assert report.codes == [code]
    assert report.said == [APOLOGY]
    assert (report.status, report.ended_by) == ("completed", EndedBy.APPLICATION_ERROR)


async def test_http_redirect_is_not_simulated(twilio: SimulatedTwilio, application: Application) -> None:
    """Twilio would follow it, so the simulation must not report a failure of the application."""
    application.replies["/incoming-call"] = [Reply("", status=302)]
    with pytest.raises(NotSimulatedError, match="redirects"):
        await twilio.call(Person(), webhook=WEBHOOK)


async def test_unreachable_application_is_a_connection_failure(twilio: SimulatedTwilio) -> None:
    """A closed port causes 11205."""
    report = await twilio.call(Person(), webhook="http://127.0.0.1:1/incoming-call")
    assert report.codes == [11205]
    assert report.requests[0].status is None


async def test_garbage_is_a_protocol_failure(twilio: SimulatedTwilio) -> None:
    """An answer that is not HTTP causes 11206."""

    async def babble(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n")
        writer.close()

    async with await asyncio.start_server(babble, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        report = await twilio.call(Person(), webhook=f"http://127.0.0.1:{port}/incoming-call")
    assert report.codes == [11206]


async def test_late_answer_is_no_answer(application: Application) -> None:
    """After the time limit the answer is ignored, and the call fails with 11205."""
    application.replies["/incoming-call"] = [Reply("<Response/>", delay_s=60)]
    tunnels = {PUBLIC_URL: application.address}
    async with SimulatedTwilio(ACCOUNT_SID, AUTH_TOKEN, tunnels=tunnels, speed=10, webhook_limit_s=0.2) as twilio:
        report = await twilio.call(Person(), webhook=WEBHOOK)
    assert report.codes == [11205]


async def test_fallback_is_asked_when_the_webhook_fails(twilio: SimulatedTwilio, application: Application) -> None:
    """The fallback gets the error's code and URL, and its document is performed."""
    application.replies["/incoming-call"] = [Reply("", status=500)]
    application.replies["/fallback"] = ["<Say>Please call later</Say>"]
    report = await twilio.call(Person(), webhook=WEBHOOK, fallback=f"{PUBLIC_URL}/fallback")
    assert report.said == ["Please call later"]
    asked = application.asked[1]
    assert asked.signed
    assert (asked.fields["ErrorCode"], asked.fields["ErrorUrl"]) == ("11200", WEBHOOK)


async def test_failing_fallback_is_asked_once(twilio: SimulatedTwilio, application: Application) -> None:
    """If both fail, the caller hears the apology."""
    application.replies["/incoming-call"] = [Reply("", status=500)]
    application.replies["/fallback"] = [Reply("", status=502)]
    report = await twilio.call(Person(), webhook=WEBHOOK, fallback=f"{PUBLIC_URL}/fallback")
    assert application.paths == ["/incoming-call", "/fallback"]
    assert (report.codes, report.said) == ([11200, 11200], [APOLOGY])


async def test_wrong_auth_token_makes_wrong_signatures(application: Application, probe: Probe) -> None:
    """Requests signed with another token are not validly signed."""
    application.replies["/incoming-call"] = ["<Hangup/>"]
    async with SimulatedTwilio(ACCOUNT_SID, "a forged token", tunnels={PUBLIC_URL: application.address}) as forger:
        await forger.call(Person(), webhook=WEBHOOK)
    assert not application.asked[0].signed


def test_longest_tunnel_wins() -> None:
    """A tunnel for a path comes before one for its host; other URLs are used directly."""
    exchange = Exchange(
        ACCOUNT_SID, AUTH_TOKEN, {"https://a.example": "http://one", "https://a.example/b": "http://two"}
    )
    urls = ["https://a.example/x", "https://a.example/b/x", "https://c.example/x"]
    assert [exchange.address_of(url) for url in urls] == ["http://one/x", "http://two/x", "https://c.example/x"]
