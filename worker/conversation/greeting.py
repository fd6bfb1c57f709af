"""How the agent opens its part of a call: it greets a new caller, and goes on with one who was there before."""

from shared.escalations.record import HANDLED, ON_THE_PHONE, EscalationRecord, Status
from worker.conversation import prompts
from worker.conversation.resumption import ResumedCall


def first_words(greeting: str | None, past: ResumedCall | None, last_words: str) -> str:
    """Instructions for the first response. `last_words` are those of the agent that the caller heard."""
    if past is None:
        return prompts.greeting(greeting)
    if past.returned and past.records:
        name, talked = _last_on_the_phone(past.records[-1])
        return prompts.returned(name, talked=talked)
    return prompts.taken_over(last_words, apologise=past.apologise)


def _last_on_the_phone(record: EscalationRecord) -> tuple[str | None, bool]:
    """The name that the caller has heard last, and whether they have spoken to that person.

    A person who did not come does not have the escalation any more. One who has dealt with it may have done so without
    the caller.
    """
    for place, step in reversed(list(enumerate(record.history))):
        if step.detail == ON_THE_PHONE:
            return step.name, any(later.status is Status.CONNECTED for later in record.history[place:])
    return None, record.status in HANDLED
