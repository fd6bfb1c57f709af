"""The recogniser understands the phrases of its grammar from a telephone's audio, and little else."""

import re

import pytest

from local.audio.recogniser import Dictated, Sphinx
from local.audio.speech import silence, speak
from local.demo.story import SAID
from local.stack.simulation import CALLER_VOICE

PHRASES = [
    "What are your opening hours?",
    "Hello, what are your opening hours?",
    "When are you open?",
    "What are the opening hours of the restaurant?",
    "I want to speak to a person.",
    "I would like to talk to a person, please.",
    "I need to talk to someone.",
    "Get me a human.",
    "Is somebody coming?",
    "There is water in my room.",
    "I have lost my key.",
    "Do you have a free room?",
    "One moment, please.",
    "Wait!",
    "No, thank you.",
    "Yes, please.",
    "Thank you.",
    "Hello.",
    "Thank you, goodbye.",
    "Goodbye.",
]
OTHERS = [
    "I like chocolate ice cream.",
    "The weather is nice today and the sun shines.",
    "Seventeen elephants.",
    "Mary had a little lamb.",
    "What is the meaning of life?",
]


@pytest.fixture(scope="module")
def sphinx() -> Sphinx:
    """One for all these tests: loading it takes longer than they do."""
    return Sphinx()


@pytest.mark.parametrize("phrase", PHRASES)
async def test_what_is_in_the_grammar_is_understood(sphinx: Sphinx, phrase: str) -> None:
    """As mu-law at 8 kHz, with the silence that voice activity detection leaves around it."""
    words = re.sub(r"[^a-z ]", "", phrase.lower())
    assert await sphinx.recognise(silence(300) + speak(phrase) + silence(500)) == words


@pytest.mark.parametrize("voice", ["en-us+f3", "en-us+m3"])
async def test_other_voices_are_understood(sphinx: Sphinx, voice: str) -> None:
    """A woman's, and another man's."""
    assert await sphinx.recognise(speak("What are your opening hours?", voice)) == "what are your opening hours"
    assert "speak to a" in await sphinx.recognise(speak("I want to speak to a person.", voice))


@pytest.mark.parametrize("words", SAID)
async def test_the_demos_caller_is_understood(sphinx: Sphinx, words: str) -> None:
    """Every sentence of the demo, in the caller's voice."""
    assert await sphinx.recognise(speak(words, CALLER_VOICE)) == re.sub(r"[^a-z ]", "", words.lower())


@pytest.mark.parametrize("sentence", OTHERS)
async def test_what_is_not_in_the_grammar_is_not(sphinx: Sphinx, sentence: str) -> None:
    """The result is empty, not the most similar phrase."""
    assert await sphinx.recognise(silence(300) + speak(sentence) + silence(500)) == ""


async def test_silence_is_no_words(sphinx: Sphinx) -> None:
    """Nor is empty audio."""
    assert await sphinx.recognise(silence(1000)) == ""
    assert await sphinx.recognise(b"") == ""


async def test_dictated_words_come_whatever_the_audio() -> None:
    """In order, then none."""
    dictated = Dictated("one", "two")
    assert [await dictated.recognise(b"") for _ in range(3)] == ["one", "two", ""]
