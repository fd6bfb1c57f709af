"""The TwiML parser, tested with documents from Twilio's own library."""

import pytest
from twilio.twiml.voice_response import Connect, VoiceResponse

from local.twilio import twiml
from local.twilio.twiml import ApplicationError, Document, NotSimulatedError, parse


def test_reads_what_twilios_library_writes() -> None:
    """Every verb that is simulated, with its attributes, escaped text and parameters."""
    response = VoiceResponse()
    response.pause(length=2)
    response.say("Tom & Jerry <3", language="en-GB", voice="Polly.Amy")
    connect = Connect(action="/stream-ended", method="GET")
    connect.stream(url="wss://worker.example/media-stream").parameter(name="token", value="a&b")
    response.append(connect)
    response.redirect("/next", method="GET")
    response.reject(reason="busy")
    response.hangup()
    assert parse(str(response), "https://bellhop.example/incoming-call").verbs == (
        twiml.Pause(2),
        twiml.Say("Tom & Jerry <3", "en-GB"),
        twiml.Connect(
            twiml.Stream("wss://worker.example/media-stream", parameters={"token": "a&b"}), "/stream-ended", "GET"
        ),
        twiml.Redirect("/next", "GET"),
        twiml.Reject("busy"),
        twiml.Hangup(),
    )


def test_reads_gather_and_dial_as_twilios_library_writes_them() -> None:
    """With their nested elements."""
    response = VoiceResponse()
    gather = response.gather(num_digits=1, timeout=8, action="/pressed")
    gather.say("Press 1")
    gather.say("Or 2")
    dial = response.dial(action="/left", caller_id="+15550100200", time_limit=60)
    dial.number("+15550100301", status_callback="/status", status_callback_event="ringing answered")
    conference = response.dial(answer_on_bridge=True, timeout=9)
    conference.conference(
        "room",
        start_conference_on_enter=False,
        end_conference_on_exit=True,
        beep=False,
        participant_label="caller",
        status_callback="/conference",
        status_callback_event="join leave",
    )
    number_status = twiml.StatusCallback("/status", events=frozenset({"ringing", "answered"}))
    room_status = twiml.StatusCallback("/conference", events=frozenset({"join", "leave"}))
    assert parse(str(response)).verbs == (
        twiml.Gather((twiml.Say("Press 1"), twiml.Say("Or 2")), 1, 8, "/pressed"),
        twiml.Dial(
            twiml.Number("+15550100301", status=number_status),
            "/left",
            time_limit_s=60,
            caller_id="+15550100200",
        ),
        twiml.Dial(
            twiml.Conference(
                "room",
                starts_on_enter=False,
                ends_on_exit=True,
                label="caller",
                status=room_status,
            ),
            timeout_s=9,
            answer_on_bridge=True,
        ),
    )
    assert parse(str(response)).warnings == ()


@pytest.mark.parametrize(
    "document",
    [
        "",
        "hello",
        '\n<?xml version="1.0"?><Response/>',
        "<Response><Say>",
        "<response/>",
        "<Response>a&b</Response>",
    ],
)
def test_no_twiml_is_a_parse_failure(document: str) -> None:
    """Twilio's 12100, also for a line before the XML header and for a wrong root."""
    with pytest.raises(ApplicationError) as refusal:
        parse(document)
    assert refusal.value.code == 12100


@pytest.mark.parametrize(
    "verb",
    [
        "<Dial><Queue>support</Queue></Dial>",
        "<Dial><Number>+15550100</Number><Number>+15550101</Number></Dial>",
        "<Dial>+15550100</Dial>",
        '<Dial record="true"><Number>+15550100</Number></Dial>',
        '<Dial><Number url="/whisper">+15550100</Number></Dial>',
        "<Dial><Conference>room</Conference></Dial>",
        '<Dial><Conference beep="false" waitUrl="/wait">room</Conference></Dial>',
        '<Dial><Conference beep="false" statusCallbackEvent="join speaker">room</Conference></Dial>',
        '<Gather input="speech"/>',
        "<Gather><Pause/></Gather>",
        "<Play>/tone.wav</Play>",
        "<Enqueue>support</Enqueue>",
        "<Connect><Room>lobby</Room></Connect>",
        '<Connect><Stream url="wss://a.example" statusCallback="/status"/></Connect>',
        '<Say loop="2">again</Say>',
    ],
)
def test_what_is_not_simulated_says_so(verb: str) -> None:
    """Features that Twilio has and the simulation lacks raise an error with their name, and are never skipped."""
    with pytest.raises(NotSimulatedError, match="simulated"):
        parse(f"<Response>{verb}</Response>")


@pytest.mark.parametrize(
    ("verb", "warning"),
    [
        ("<Speak>hello</Speak>", "<Speak> is not allowed in <Response>"),
        ("<say>hello</say>", "<say> is not allowed in <Response>"),
        ('<Hangup now="yes"/>', "<Hangup> has no attribute now"),
        ('<Pause length="soon"/>', "length of <Pause> is 'soon'; it must be a whole number above 0"),
        ("<Gather><Hangup/></Gather>", "<Hangup> is not allowed in <Gather>"),
        (
            '<Dial timeLimit="14401"><Number>+15550100</Number></Dial>',
            "timeLimit of <Dial> is '14401'; it must be a whole number from 1 to 14400",
        ),
        (
            '<Dial timeLimit="0"><Number>+15550100</Number></Dial>',
            "timeLimit of <Dial> is '0'; it must be a whole number from 1 to 14400",
        ),
        (
            '<Dial answerOnBridge="yes"><Number>+15550100</Number></Dial>',
            "answerOnBridge of <Dial> is 'yes'; it must be true or false",
        ),
        (
            '<Dial><Number statusCallbackEvent="completed join">+15550100</Number></Dial>',
            "<Number> has no events ['join']; there are ['answered', 'completed', 'initiated', 'ringing']",
        ),
    ],
)
def test_schema_errors_are_warnings(verb: str, warning: str) -> None:
    """Twilio's 12200: the valid parts of the document are performed."""
    assert parse(f"<Response>{verb}</Response>").warnings == (warning,)


def test_relative_urls_resolve_against_the_documents_own() -> None:
    """An action is relative to the document's URL; TwiML from a call update has none."""
    assert (
        Document((), "https://a.example/stage/incoming-call").resolve("next?x=1") == "https://a.example/stage/next?x=1"
    )
    with pytest.raises(ApplicationError) as refusal:
        Document(()).resolve("/next")
    assert refusal.value.code == 15004
