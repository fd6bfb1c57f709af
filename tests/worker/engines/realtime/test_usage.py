"""Tokens and cost of a call, from the usage that the API reports."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.agents.openai_models import REALTIME_MODELS
from worker.engines.realtime.usage import Usage

TURN = {
    "total_tokens": 1_300,
    "input_tokens": 1_000,
    "output_tokens": 300,
    "input_token_details": {
        "text_tokens": 600,
        "audio_tokens": 400,
        "image_tokens": 0,
        "cached_tokens": 512,
        "cached_tokens_details": {"text_tokens": 448, "audio_tokens": 64, "image_tokens": 0},
    },
    "output_token_details": {"text_tokens": 60, "audio_tokens": 240},
}


def test_cached_tokens_are_part_of_the_input() -> None:
    """Cached tokens have their own price; only the rest is billed in full."""
    usage = Usage()
    usage.add_response(TURN)
    expected = (152 * 4.00 + 448 * 0.40 + 336 * 32.00 + 64 * 0.40 + 60 * 24.00 + 240 * 64.00) / 1_000_000
    assert usage.cost("gpt-realtime-2.1") == pytest.approx(expected)


def test_a_calls_responses_are_summed() -> None:
    """Each response is billed for the whole conversation before it."""
    usage = Usage()
    usage.add_response(TURN)
    usage.add_response(TURN)
    assert usage.tokens() == {
        "text_in": 1_200,
        "text_in_cached": 896,
        "text_out": 120,
        "audio_in": 800,
        "audio_in_cached": 128,
        "audio_out": 480,
        "transcription_in": 0,
        "transcription_out": 0,
    }


@pytest.mark.parametrize("model", REALTIME_MODELS)
def test_every_model_has_its_price(model: str) -> None:
    """A million tokens of audio cost what the table says."""
    usage = Usage()
    usage.add_response({"output_token_details": {"audio_tokens": 1_000_000}})
    assert usage.cost(model) == pytest.approx(REALTIME_MODELS[model].prices.audio_out)


def test_an_unknown_model_has_no_cost() -> None:
    """The cost is None, because a wrong number would be worse."""
    usage = Usage()
    usage.add_response(TURN)
    assert usage.cost("gpt-realtime-99") is None


@pytest.mark.parametrize(
    "usage_of_a_response",
    [
        None,
        {},
        {"input_tokens": None, "input_token_details": None, "output_token_details": None},
        {"input_tokens": -5, "output_tokens": "many", "input_token_details": {"text_tokens": None}},
    ],
)
def test_a_response_without_usage_adds_nothing(usage_of_a_response: Any) -> None:
    """Failed and cancelled responses report none, or only part of it."""
    usage = Usage()
    usage.add_response(usage_of_a_response)
    assert usage == Usage()


def test_tokens_without_a_kind_are_text() -> None:
    """Reasoning is part of the output and has no field of its own."""
    usage = Usage()
    usage.add_response({"input_tokens": 10, "output_tokens": 100, "output_token_details": {"audio_tokens": 30}})
    assert (usage.text_in, usage.text_out, usage.audio_out) == (10, 70, 30)


@pytest.mark.parametrize(
    ("cached", "text_cached", "audio_cached"),
    [
        ({"cached_tokens": 150}, 100, 50),
        ({"cached_tokens": 900}, 100, 200),
        ({"cached_tokens": 150, "cached_tokens_details": {"audio_tokens": 120}}, 30, 120),
        ({"cached_tokens_details": {"text_tokens": 999, "audio_tokens": 999}}, 100, 200),
    ],
)
def test_cached_tokens_never_exceed_the_tokens(cached: dict[str, Any], text_cached: int, audio_cached: int) -> None:
    """Cached tokens without a kind count as text first, so that the cost is not underestimated."""
    usage = Usage()
    usage.add_response({"input_token_details": {"text_tokens": 100, "audio_tokens": 200} | cached})
    assert (usage.text_in_cached, usage.audio_in_cached) == (text_cached, audio_cached)


def test_transcription_by_the_length_of_speech() -> None:
    """All current transcription models are billed like this; it is not part of the responses' cost."""
    usage = Usage()
    usage.add_transcription({"type": "duration", "seconds": 90.0})
    usage.add_transcription({"type": "duration", "seconds": 30})
    assert usage.transcription_seconds == 120
    assert usage.transcription_cost("gpt-transcribe") == pytest.approx(2 * 0.0045)
    assert usage.cost("gpt-realtime-2.1") == 0


@pytest.mark.parametrize(("given", "made"), [(20, 5), (20, 0), (0, 5)])
def test_transcription_in_tokens_has_no_known_price(given: int, made: int) -> None:
    """The retired models report tokens; their count is kept."""
    usage = Usage()
    usage.add_transcription({"type": "tokens", "input_tokens": given, "output_tokens": made})
    assert (usage.tokens()["transcription_in"], usage.tokens()["transcription_out"]) == (given, made)
    assert usage.transcription_cost("gpt-transcribe") is None


@pytest.mark.parametrize("usage_of_a_transcription", [None, {}, {"seconds": None}, {"seconds": float("nan")}])
def test_a_transcription_without_usage_adds_nothing(usage_of_a_transcription: Any) -> None:
    """Not every server reports it."""
    usage = Usage()
    usage.add_transcription(usage_of_a_transcription)
    assert usage == Usage()
    assert usage.transcription_cost("whisper-1") is None


_numbers = st.integers() | st.floats() | st.booleans() | st.integers(10**300, 10**320) | st.text() | st.none()
_details = st.dictionaries(st.sampled_from(["audio_tokens", "text_tokens", "cached_tokens", "seconds"]), _numbers)


@given(
    st.dictionaries(
        st.sampled_from(
            ["input_tokens", "output_tokens", "input_token_details", "output_token_details", "cached_tokens", "seconds"]
        ),
        _numbers | _details,
    )
)
def test_any_usage(reported: dict[str, Any]) -> None:
    """With any data from the server, the sums are valid and can be logged as JSON."""
    usage = Usage()
    for _ in range(2):
        usage.add_response(reported)
        usage.add_transcription(reported)
    figures = [usage.cost("gpt-realtime-2.1"), usage.transcription_cost("gpt-transcribe"), usage.transcription_seconds]
    assert json.loads(json.dumps([usage.tokens(), figures], allow_nan=False))
    assert all(type(count) is int for count in usage.tokens().values())
