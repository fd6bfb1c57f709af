"""The agent's first words: it greets a new caller, or continues a resumed call."""

from shared.escalations.record import HANDLED, ON_THE_PHONE, EscalationRecord, Status
from worker.conversation import prompts
from worker.conversation.resumption import ResumedCall


def first_words(greeting: str | None, resumed: ResumedCall | None, last_words: str) -> str:
    """Instructions for the first response. `last_words`: the agent's last words that the caller heard."""
    if resumed is None:
        return prompts.greeting(greeting)
    if resumed.returned and resumed.records:
        name, talked = _last_on_the_phone(resumed.records[-1])
        return prompts.returned(name, talked=talked)
    return prompts.taken_over(last_words, apologise=resumed.apologise)


def _last_on_the_phone(record: EscalationRecord) -> tuple[str | None, bool]:
    """The name of the last person who was on the phone for the caller, and whether the two have spoken.

    This comes from the history, because a person who hung up before joining is not the assignee any more, and an
    escalation can be handled without speaking to the caller.
    """
    for place, entry in reversed(list(enumerate(record.history))):
        if entry.detail == ON_THE_PHONE:
            return entry.name, any(later.status is Status.CONNECTED for later in record.history[place:])
    return None, record.status in HANDLED
