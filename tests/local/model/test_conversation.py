"""The conversation's items, and the operations on them."""

import audioop
import base64

import pytest

from local.audio.speech import tone
from local.model.conversation import Conversation, Item, encode
from local.model.refusals import Refused


def _spoken(ms: int = 1000) -> Item:
    return Item("message", role="assistant", content="output_audio", text="Hello there.", audio=tone(ms))


def _call(call_id: str = "call_1") -> Item:
    return Item("function_call", name="opening_hours", call_id=call_id, arguments="{}")


def _output(call_id: str = "call_1") -> Item:
    return Item("function_call_output", call_id=call_id, output="nine to five")


def _refusal(action: object, *arguments: object) -> tuple[str | None, str | None]:
    assert callable(action)
    with pytest.raises(Refused) as refused:
        action(*arguments)
    return refused.value.code, refused.value.param


def test_items_go_where_they_are_told() -> None:
    """At the end, at the start, or after another one; `add` returns the item before it."""
    conversation = Conversation()
    first, second, third, fourth = (_spoken() for _ in range(4))
    assert conversation.add(first) is None
    assert conversation.add(second) == first.id
    assert conversation.add(third, "root") is None
    assert conversation.add(fourth, first.id) == first.id
    assert conversation.items == [third, first, fourth, second]
    assert _refusal(conversation.add, _spoken(), "item_gone") == ("item_not_found", "previous_item_id")
    assert _refusal(conversation.add, first) == ("invalid_value", "item.id")


def test_a_truncated_item_loses_its_end_and_its_transcript() -> None:
    """It may be truncated several times, from its end down to 0 ms, but never beyond its length."""
    conversation, item = Conversation(), _spoken(1000)
    conversation.add(item)
    conversation.truncate(item.id, 0, 1000)
    assert (item.audio_ms, item.text) == (1000, None)
    conversation.truncate(item.id, 0, 400)
    assert item.audio_ms == 400
    with pytest.raises(Refused, match="Audio content of 400ms is already shorter than 401ms"):
        conversation.truncate(item.id, 0, 401)
    conversation.truncate(item.id, 0, 0)
    assert item.audio_ms == 0


def test_only_an_assistants_audio_can_be_truncated() -> None:
    """Not a user's words, a second part, or a deleted item."""
    conversation, item = Conversation(), _spoken()
    user = Item("message", role="user", content="input_audio", audio=tone(500))
    conversation.add(item)
    conversation.add(user)
    assert _refusal(conversation.truncate, "item_gone", 0, 0) == ("item_truncate_invalid_item_id", "item_id")
    assert _refusal(conversation.truncate, user.id, 0, 0) == ("invalid_value", "item_id")
    assert _refusal(conversation.truncate, item.id, 1, 0) == ("invalid_value", "content_index")


def test_an_output_needs_its_call_and_comes_once() -> None:
    """An unknown call is refused in the service's words; a second output is refused too."""
    conversation = Conversation()
    with pytest.raises(Refused, match="Tool call ID 'call_1' not found in conversation"):
        conversation.add(_output())
    assert _refusal(conversation.add, _output()) == ("invalid_tool_call_id", "item.call_id")
    conversation.add(_call())
    conversation.add(_output())
    assert _refusal(conversation.add, _output()) == ("invalid_value", "item.call_id")


def test_a_deleted_item_is_gone() -> None:
    """It cannot be retrieved, deleted again, or referred to."""
    conversation, item = Conversation(), _spoken()
    conversation.add(item)
    assert conversation.retrieve(item.id) is item
    conversation.delete(item.id)
    assert _refusal(conversation.delete, item.id) == ("item_delete_invalid_item_id", "item_id")
    assert _refusal(conversation.retrieve, item.id) == ("item_retrieve_invalid_item_id", "item_id")


def test_audio_is_shown_only_when_it_is_asked_for() -> None:
    """Events leave it out; a retrieved item has it, in the session's format."""
    item = _spoken(100)
    assert "audio" not in item.wire()["content"][0]
    assert base64.b64decode(item.wire("audio/pcmu")["content"][0]["audio"]) == item.audio


def test_audio_keeps_its_length_in_every_format() -> None:
    """One byte a sample in G.711, two at three times the rate in PCM."""
    audio = tone(1000)
    assert encode(audio, "audio/pcmu") == audio
    assert audioop.alaw2lin(encode(audio, "audio/pcma"), 2)[:2000] != audio[:2000]
    assert len(encode(audio, "audio/pcma")) == 8000
    assert len(encode(audio, "audio/pcm")) == pytest.approx(48000, abs=20)
