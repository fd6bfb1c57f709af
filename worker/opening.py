"""How the agent opens its part of a call: it greets a new caller, and goes on with one who was there before."""

from shared.escalation_life import ON_THE_PHONE, OVER, Life
from worker import prompts
from worker.transcript import Past


def first_words(greeting: str | None, past: Past | None, last_words: str) -> str:
    """Instructions for the first response. `last_words` are those of the agent that the caller heard."""
    if past is None:
        return prompts.greeting(greeting)
    if past.returned and past.lives:
        life = past.lives[-1]
        return prompts.returned(_last_on_the_phone(life), talked=life.status in OVER)
    return prompts.taken_over(last_words, apologise=past.apologise)


def _last_on_the_phone(life: Life) -> str | None:
    # Who did not come has let go of it by now, and the caller has heard their name.
    return next((step.name for step in reversed(life.steps) if step.detail == ON_THE_PHONE), None)
