"""The TwiML that the voice function answers with, made by Twilio's own builder, which escapes what needs escaping."""

from twilio.twiml.voice_response import Connect, Say, Stream, VoiceResponse

from functions.voice.settings import Spoken, VoiceSettings

# Twilio allows 500 characters for a parameter's name and value together. A SIP address can be longer than that.
PARAMETER_VALUE_LENGTH = 450


def connect(settings: VoiceSettings, *, token: str, caller: str, called: str) -> str:
    """Connects the call's audio to the worker, which finds the parameters in the stream's `start` message.

    When the stream has ended, Twilio asks `/stream-ended` what to do. The sentence that follows is for the day when
    there is no answer to that either: without a verb to go on with, Twilio would just hang up.
    """
    response = VoiceResponse()
    if settings.greeting:
        response.append(_say(settings, settings.greeting))
    stream = Stream(url=settings.stream_url)
    for name, value in {"token": token, "caller": caller, "called": called}.items():
        if value:
            stream.parameter(name=name, value=value[:PARAMETER_VALUE_LENGTH])
    response.append(Connect(action=f"{settings.public_url}/stream-ended", method="POST").append(stream))
    response.append(_say(settings, settings.sorry_call_again))
    response.hangup()
    return str(response)


def say_and_hang_up(spoken: Spoken, text: str) -> str:
    """Speaks a last sentence."""
    response = VoiceResponse()
    response.append(_say(spoken, text))
    response.hangup()
    return str(response)


def _say(spoken: Spoken, text: str) -> Say:
    return Say(text, language=spoken.language, voice=spoken.voice)
