"""The TwiML that the voice function answers with, made with Twilio's builder, which escapes XML.

The builder does not remove characters that XML does not allow, so `plain_line` does that for each text here.
"""

from collections.abc import Mapping
from urllib.parse import urlencode

from twilio.twiml.voice_response import Connect, Dial, Say, Stream, VoiceResponse

from functions.voice.next_step import Resumption, Transfer
from functions.voice.settings import Announcements, VoiceSettings
from shared.text.plain import plain_line
from shared.twilio.calls import TALK_LIMIT_S

# Twilio allows 500 characters for a parameter's name and value together. A SIP address can be longer.
PARAMETER_VALUE_LENGTH = 450


def connect(settings: VoiceSettings, *, token: str, caller: str, called: str) -> str:
    """Connects a new call's audio to a worker, which gets the parameters in the stream's `start` message."""
    response = VoiceResponse()
    if settings.greeting:
        response.append(_say(settings, settings.greeting))
    return _to_worker(response, settings, {"token": token, "caller": caller, "called": called})


def connect_again(settings: VoiceSettings, resumption: Resumption, *, token: str, caller: str, called: str) -> str:
    """Connects a call whose stream has ended to a worker again.

    Twilio speaks only if the caller has to wait. The agent continues the conversation and apologises itself, in the
    voice that the caller knows.
    """
    response = VoiceResponse()
    if resumption.pause_s:
        response.append(_say(settings, settings.hold_message))
        response.pause(length=resumption.pause_s)
    parameters = {"token": token, "caller": caller, "called": called}
    resumed = {"resumed": resumption.cause, "resumptions": str(resumption.number)}
    return _to_worker(response, settings, parameters | resumed)


def transfer(settings: VoiceSettings, transfer: Transfer) -> str:
    """Puts the caller into the conference named by the escalation's id, where the person joins them.

    The caller hears Twilio's hold music until then. Once either has left, Twilio requests `/transfer-ended`.
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
    # When the stream has ended, Twilio requests `/stream-ended`. If that request fails, Twilio goes on with the next
    # verb; without the apology it would hang up in silence.
    stream = Stream(url=settings.stream_url)
    for name, value in parameters.items():
        if value:
            stream.parameter(name=name, value=plain_line(value)[:PARAMETER_VALUE_LENGTH])
    response.append(Connect(action=f"{settings.public_url}/stream-ended", method="POST").append(stream))
    response.append(_say(settings, settings.apology_retry))
    response.hangup()
    return str(response)


def say_and_hang_up(announcements: Announcements, text: str) -> str:
    """Speaks a text and hangs up."""
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
