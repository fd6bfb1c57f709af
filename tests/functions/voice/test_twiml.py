"""The voice function's TwiML, whatever it is given."""

from typing import Any
from xml.etree import ElementTree as ET

from hypothesis import example, given
from hypothesis import strategies as st

from functions.voice import twiml
from functions.voice.next_step import Resumption, Transfer
from functions.voice.settings import VoiceSettings

ANNOUNCEMENTS = ("language", "voice", "greeting", "goodbye", "hold_message", "apology_retry")
strange = st.text(st.characters(codec=None, exclude_categories=()), max_size=30)


@given(strange)
@example("\ud800\x00\ufffe")
def test_every_document_is_xml(text: str) -> None:
    """At a character that XML does not allow, Twilio would say that an application error has occurred."""
    texts: dict[str, Any] = dict.fromkeys(ANNOUNCEMENTS, text)
    settings = VoiceSettings.model_construct(
        public_url="https://voice.example.com",
        stream_url="wss://voice.example.com/media-stream",
        **texts,
    )
    for document in (
        twiml.connect(settings, token="token", caller=text, called=text),
        twiml.connect_again(settings, Resumption("lost", 2), token="token", caller=text, called=text),
        twiml.transfer(settings, Transfer(text)),
        twiml.say_and_hang_up(settings, text),
    ):
        assert ET.fromstring(document).tag == "Response"  # noqa: S314 # our own XML
