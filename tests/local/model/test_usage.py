"""Token counts, at the service's known rates."""

from local.audio.speech import tone
from local.model.conversation import Item
from local.model.usage import NO_USAGE, response_usage, transcription_usage

CALLER = Item("message", role="user", content="input_audio", audio=tone(3000))
AGENT = Item("message", role="assistant", content="output_audio", text="Hello to you", audio=tone(2000))


def test_audio_counts_ten_tokens_a_second_heard_and_twenty_spoken() -> None:
    """Instructions and transcripts count by their letters."""
    usage = response_usage("i" * 40, "t" * 40, [CALLER], 1, [AGENT])
    assert usage["input_token_details"] == {
        "text_tokens": 20,
        "audio_tokens": 30,
        "image_tokens": 0,
        "cached_tokens": 0,
        "cached_tokens_details": {"text_tokens": 0, "audio_tokens": 0, "image_tokens": 0},
    }
    assert usage["output_token_details"] == {"text_tokens": 3, "audio_tokens": 40}
    assert (usage["input_tokens"], usage["output_tokens"], usage["total_tokens"]) == (50, 43, 93)


def test_what_an_earlier_response_has_seen_is_cached() -> None:
    """Cached tokens are part of the input count; the instructions are cached too."""
    usage = response_usage("i" * 40, "", [CALLER, AGENT, CALLER], 1, [])
    details = usage["input_token_details"]
    assert details["audio_tokens"] == 100
    assert details["cached_tokens_details"] == {"text_tokens": 10, "audio_tokens": 70, "image_tokens": 0}
    assert details["cached_tokens"] == 80


def test_a_response_that_failed_used_nothing() -> None:
    """Zeros, not nulls."""
    assert (NO_USAGE["total_tokens"], NO_USAGE["output_token_details"]["audio_tokens"]) == (0, 0)


def test_whisper_is_billed_by_the_second_and_the_others_by_tokens() -> None:
    """Seconds are rounded up."""
    assert transcription_usage("whisper-1", 2100, "hello") == {"type": "duration", "seconds": 3}
    usage = transcription_usage("gpt-transcribe", 2000, "hello")
    assert (usage["type"], usage["input_tokens"], usage["output_tokens"]) == ("tokens", 20, 2)
