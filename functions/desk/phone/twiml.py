"""The TwiML that a person on call hears, made with Twilio's builder, which escapes XML.

It is in English, as the alerts are. What the agent wrote about the call is read out as it is, in the language that the
agent used. The builder does not remove characters that XML does not allow, and one of them would silence the phone; so
`plain_line` removes them from each text here.
"""

from twilio.twiml.voice_response import Dial, Gather, Say, VoiceResponse

from shared.text.plain import plain_line
from shared.twilio.calls import TALK_LIMIT_S

LANGUAGE = "en-US"
# Time to find the keypad on a phone that was just held to the ear.
KEY_WITHIN_S = 6
CALLER_RINGS_S = 40


def ask(announcement: str, keys: str, action: str) -> str:
    """Speaks the announcement and the keys and waits for a key; does this twice and then hangs up."""
    response = VoiceResponse()
    for _ in range(2):
        gather = Gather(num_digits=1, timeout=KEY_WITHIN_S, action=plain_line(action), method="POST")
        gather.append(_say(f"{announcement} {keys}"))
        response.append(gather)
    response.append(_say("No key was pressed. Goodbye."))
    response.hangup()
    return str(response)


def say_and_hang_up(text: str) -> str:
    """Speaks a text and hangs up."""
    response = VoiceResponse()
    response.append(_say(text))
    response.hangup()
    return str(response)


def say_and_go_on(text: str, to: str, *, pause_s: int = 0) -> str:
    """Speaks a text, pauses, and goes on with the TwiML of another URL."""
    response = VoiceResponse()
    if text:
        response.append(_say(text))
    if pause_s:
        response.pause(length=pause_s)
    response.redirect(plain_line(to), method="POST")
    return str(response)


def join_conference(name: str, *, action: str, status_callback: str) -> str:
    """Joins the person to the conference with the caller; when either leaves, it ends for both."""
    dial = Dial(action=plain_line(action), method="POST", time_limit=TALK_LIMIT_S)
    dial.conference(
        plain_line(name),
        start_conference_on_enter=True,
        end_conference_on_exit=True,
        beep="false",
        participant_label="person",
        status_callback=plain_line(status_callback),
        status_callback_event="join leave",
    )
    response = VoiceResponse()
    response.append(dial)
    return str(response)


def call_caller(text: str, number: str, *, caller_id: str, action: str, answered: str) -> str:
    """Rings the caller's phone and connects the person when it is answered."""
    response = VoiceResponse()
    response.append(_say(text))
    dial = Dial(
        caller_id=plain_line(caller_id),
        answer_on_bridge=True,
        timeout=CALLER_RINGS_S,
        time_limit=TALK_LIMIT_S,
        action=plain_line(action),
        method="POST",
    )
    dial.number(
        plain_line(number),
        status_callback=plain_line(answered),
        status_callback_event="answered",
        status_callback_method="POST",
    )
    response.append(dial)
    return str(response)


def nothing() -> str:
    """TwiML without a verb, for a call that is already over."""
    return str(VoiceResponse())


def _say(text: str) -> Say:
    return Say(plain_line(text), language=LANGUAGE)
