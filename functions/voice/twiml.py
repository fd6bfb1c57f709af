"""The TwiML that the voice function answers with, made by Twilio's own builder, which escapes what needs escaping.

The builder does not check characters, and XML does not know all of them: each text is made plain here.
"""

from collections.abc import Mapping
from urllib.parse import urlencode

from twilio.twiml.voice_response import Connect, Dial, Say, Stream, VoiceResponse

from functions.voice.next_step import Resumption, Transfer
from functions.voice.settings import Announcements, VoiceSettings
from shared.text.plain import plain_line
from shared.twilio.calls import TALK_LIMIT_S

# Twilio allows 500 characters for a parameter's name and value together. A SIP address can be longer than that.
PARAMETER_VALUE_LENGTH = 450


def connect(settings: VoiceSettings, *, token: str, caller: str, called: str) -> str:
    """Connects a new call's audio to the worker, which finds the parameters in the stream's `start` message."""
    response = VoiceResponse()
    if settings.greeting:
        response.append(_say(settings, settings.greeting))
    return _to_worker(response, settings, {"token": token, "caller": caller, "called": called})


def connect_again(settings: VoiceSettings, resumption: Resumption, *, token: str, caller: str, called: str) -> str:
    """Connects a call whose stream has ended to a worker again.

    Nothing is spoken here, unless the caller has to wait: the agent, who takes up the conversation, also says sorry, in
    the voice the caller knows.
    """
    response = VoiceResponse()
    if resumption.pause_s:
        response.append(_say(settings, settings.hold_message))
        response.pause(length=resumption.pause_s)
    parameters = {"token": token, "caller": caller, "called": called}
    resumed = {"resumed": resumption.cause, "resumptions": str(resumption.number)}
    return _to_worker(response, settings, parameters | resumed)


def transfer(settings: VoiceSettings, transfer: Transfer) -> str:
    """Puts the caller where the person comes next: into the conference that has the escalation's id for a name.

    The caller hears Twilio's music until the person is in it, and `/transfer-ended` is asked once either has left.
    """
    name = plain_line(transfer.escalation_id)
    escalation = urlencode({"escalation": name})
    dial = Dial(action=f"{settings.public_url}/transfer-ended", method="POST", time_limit=TALK_LIMIT_S)
    dial.conference(
        name,
        start_conference_on_enter=False,
        end_conference_on_exit=True,
        beep="false",
        participant_label="caller",
        status_callback=f"{settings.public_url}/desk/conference?{escalation}",
        status_callback_event="join leave",
    )
    response = VoiceResponse()
    response.append(dial)
    return str(response)


def _to_worker(response: VoiceResponse, settings: VoiceSettings, parameters: Mapping[str, str]) -> str:
    # When the stream has ended, Twilio asks `/stream-ended` what to do. The sentence that follows is for the day when
    # there is no answer to that either: without a verb to go on with, Twilio would just hang up.
    stream = Stream(url=settings.stream_url)
    for name, value in parameters.items():
        if value:
            stream.parameter(name=name, value=plain_line(value)[:PARAMETER_VALUE_LENGTH])
    response.append(Connect(action=f"{settings.public_url}/stream-ended", method="POST").append(stream))
    response.append(_say(settings, settings.apology_retry))
    response.hangup()
    return str(response)


def say_and_hang_up(announcements: Announcements, text: str) -> str:
    """Speaks a last sentence."""
    response = VoiceResponse()
    response.append(_say(announcements, text))
    response.hangup()
    return str(response)


def _say(announcements: Announcements, text: str) -> Say:
    return Say(
        plain_line(text),
        language=plain_line(announcements.language),
        voice=announcements.voice and plain_line(announcements.voice),
    )
