"""How the agent opens its part of a call: it greets a new caller, and goes on with one who was there before."""

from shared.escalation_life import OVER
from worker import prompts
from worker.transcript import Past


def first_words(greeting: str | None, past: Past | None, last_words: str) -> str:
    """Instructions for the first response. `last_words` are those of the agent that the caller heard."""
    if past is None:
        return prompts.greeting(greeting)
    if past.returned and past.lives:
        life = past.lives[-1]
        return prompts.returned(life.person_name, talked=life.status in OVER)
    return prompts.taken_over(last_words, apologise=past.apologise)
