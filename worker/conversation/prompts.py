"""Instructions and tool outputs for the model that the call itself creates."""

from typing import Final

_SHORT: Final = "Use one short sentence, in the language of the conversation."

ASK_IF_STILL_THERE: Final = f"The caller has been silent for a while. Ask whether they are still there. {_SHORT}"
SILENCE_GOODBYE: Final = f"The caller has not answered. Say that you will hang up now and say goodbye. {_SHORT}"
NEAR_TIME_LIMIT: Final = f"This call can last only a little longer. Tell the caller so, kindly. {_SHORT}"
TIME_LIMIT_GOODBYE: Final = f"This call has reached its time limit. Say so, and say goodbye. {_SHORT}"
GOODBYE: Final = f"The call is about to end. Say goodbye. {_SHORT}"

ESCALATION_SENT: Final = (
    "The request has been sent to the people on call. Tell the caller that a person has been asked for. "
    "Do not promise a time. Stay in the conversation."
)
ESCALATION_NOT_SENT: Final = (
    "The request could NOT be sent: no person has been told. Say so honestly, apologise, and offer to try again."
)
ESCALATION_UPDATE_NOT_SENT: Final = (
    "What is new could NOT be sent, but the earlier request was: people on call have that one. "
    "Tell the caller so honestly."
)

SOMEBODY: Final = "A person"
NOT_ASKED: Final = "No person has been asked for in this call."
BEING_SENT: Final = "The request for a person is being sent; it is not certain yet that it arrives."
NOT_SENT_YET: Final = "The request could NOT be sent yet: no person has been told. It is being tried again."
NOBODY_YET: Final = "The people on call are being asked; nobody has taken the request yet. Do not promise a time."
STILL_ASKING: Final = (
    "The caller is waiting for a person, and nobody has taken the request so far. Say that you are still with them and "
    f"that people are being asked. {_SHORT}"
)


def greeting(words: str | None) -> str:
    """How to open the call. `words` is the greeting of the agent's file; without it the model chooses the words."""
    if words:
        return f'Greet the caller now. Say exactly this and nothing else: "{words}"'
    return "Greet the caller and ask how you can help. Use one short sentence."


def restored(last_words: str) -> str:
    """How to continue after the model's session was lost and replaced."""
    where = f' Your last words were: "{last_words}"' if last_words else ""
    return (
        "Your line broke for a moment and is back; the conversation so far is above. Go on where you were."
        f"{where} Do not greet again, do not repeat what was said, and run no tool again whose result you have."
    )


def taken_over(last_words: str, *, apologise: bool) -> str:
    """How to continue a call that another worker gave up."""
    sorry = "Apologise in a few words for the interruption, then go" if apologise else "Go"
    where = f' Your last words were: "{last_words}"' if last_words else ""
    return (
        f"You take up a call whose conversation so far is above. {sorry} on where it was.{where} "
        "Do not greet again, do not repeat what was said, and run no tool again whose result you have."
    )


def keys_pressed(keys: str) -> str:
    """The caller's key presses as text, because the model cannot hear them."""
    return f"(The caller pressed these keys on the phone: {' '.join(keys)})"


def tell(update: str) -> str:
    """How to tell the caller a call update."""
    return f"{update} Tell the caller so, and stay in the conversation. {_SHORT}"


def person_coming(name: str | None) -> str:
    return f"{name or SOMEBODY} has taken the request and will join this call in a moment."


def person_on_phone(name: str | None) -> str:
    return f"{name or SOMEBODY} is on the phone and takes over this call now."


def person_joins(name: str | None) -> str:
    """The agent's last words before a person takes over."""
    who = name or SOMEBODY
    return f"{person_on_phone(name)} Tell the caller that {who} is joining now; do not ask anything. {_SHORT}"


def person_gone(name: str | None) -> str:
    return f"{name or SOMEBODY} could not join after all. Other people are being asked."


def person_will_call(name: str | None) -> str:
    return f"{name or SOMEBODY} has taken the request and will call the caller back."


def callback_number_not_kept(why: str) -> str:
    """Added to the note on a request that went out without the number that the caller stated."""
    return (
        f"The callback number was NOT kept: {why}. Tell the caller so, ask for another number, and add it to the "
        "request with escalate_to_human."
    )


def callback_promised(*, can_be_called: bool) -> str:
    """The call update when nobody accepted the request; without a number no callback is possible."""
    if can_be_called:
        return "Nobody is free to join this call. The request is on the list of calls to make: somebody will call back."
    return (
        "Nobody is free to join this call, and nobody can call back, since there is no number that can be called. "
        "Ask for one and add it to the request with escalate_to_human."
    )


def dealt_with(name: str | None) -> str:
    return f"{name or SOMEBODY} has dealt with the request. If the caller needs a person again, ask for one anew."


def cannot_be_seen(known: str, seconds_ago: int | None) -> str:
    """The status when the escalation's record cannot be read. `known` is the last known one."""
    cannot = "It cannot be looked up right now what has become of the request"
    return f"{cannot}; it was sent." if seconds_ago is None else f"{cannot}. Known {seconds_ago} seconds ago: {known}"


def still_coming(name: str | None) -> str:
    """Instructions for a silence while the assignee is about to join."""
    return f"{name or SOMEBODY} is about to join this call. Thank the caller for waiting. {_SHORT}"


def returned(name: str | None, *, talked: bool) -> str:
    """How to continue with a caller who is back after a hand-over. `talked`: they have spoken to that person."""
    who = name or SOMEBODY
    if talked:
        return f"The caller is back with you: {who}, who has spoken to them, has left. Ask if there is anything else."
    return f"The caller is back with you: {who} could not join after all. Apologise for that, and go on where it was."
