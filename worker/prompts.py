"""What the agent is told to say when it is the call, not the caller, that gives it the word."""

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
SENT_AFTER_ALL: Final = "The request for a person that could not be sent has been sent now:"


def greeting(words: str | None) -> str:
    """How to open the call: with the profile's own words, or the model's."""
    if words:
        return f'Greet the caller now. Say exactly this and nothing else: "{words}"'
    return "Greet the caller and ask how you can help. Use one short sentence."


def restored(last_words: str) -> str:
    """What to do after the model's session was lost and another one has taken over."""
    where = f' Your last words were: "{last_words}"' if last_words else ""
    return (
        "Your line broke for a moment and is back; the conversation so far is above. Go on where you were."
        f"{where} Do not greet again, do not repeat what was said, and run no tool again whose result you have."
    )


def taken_over(last_words: str, *, apologise: bool) -> str:
    """How to go on with a call that another worker had to let go of."""
    sorry = "Apologise in a few words for the interruption, then go" if apologise else "Go"
    where = f' Your last words were: "{last_words}"' if last_words else ""
    return (
        f"You take up a call whose conversation so far is above. {sorry} on where it was.{where} "
        "Do not greet again, do not repeat what was said, and run no tool again whose result you have."
    )


def keys_pressed(keys: str) -> str:
    """What a caller's key presses look like to the model, which cannot hear them."""
    return f"(The caller pressed these keys on the phone: {' '.join(keys)})"
