"""The lists of models, checked against the types of OpenAI's SDK."""

from typing import Any, get_args

from openai.types.realtime import AudioTranscription, RealtimeAudioConfigOutput, RealtimeSessionCreateRequest

from shared.agents.openai_models import (
    DEFAULT_MODEL,
    DEFAULT_TRANSCRIPTION_MODEL,
    REALTIME_MODELS,
    RETIRED_REALTIME_MODELS,
    RETIRED_TRANSCRIPTION_MODELS,
    TRANSCRIPTION_PRICES,
    VOICES,
)


def literals(annotation: Any) -> set[str]:
    """All strings among the literals of a type."""
    if isinstance(annotation, str):
        return {annotation}
    return set[str]().union(*map(literals, get_args(annotation)))


def test_every_realtime_model_is_known_to_the_sdk() -> None:
    """A mistyped name would fail only during a call."""
    known = literals(RealtimeSessionCreateRequest.model_fields["model"].annotation)
    assert set(REALTIME_MODELS) <= known
    assert set(RETIRED_REALTIME_MODELS) <= known


def test_every_realtime_model_of_the_sdk_is_listed() -> None:
    """As usable or as retired; `gpt-audio-1.5` is for Chat Completions."""
    known = literals(RealtimeSessionCreateRequest.model_fields["model"].annotation)
    assert known - {"gpt-audio-1.5"} == set(REALTIME_MODELS) | set(RETIRED_REALTIME_MODELS)


def test_every_transcription_model_of_the_sdk_is_listed() -> None:
    """As for the realtime models."""
    known = literals(AudioTranscription.model_fields["model"].annotation)
    assert known == set(TRANSCRIPTION_PRICES) | set(RETIRED_TRANSCRIPTION_MODELS)


def test_successors_are_not_retired() -> None:
    """Each retired model's successor may be used, and so may the defaults."""
    assert set(RETIRED_REALTIME_MODELS.values()) <= set(REALTIME_MODELS)
    assert set(RETIRED_TRANSCRIPTION_MODELS.values()) <= set(TRANSCRIPTION_PRICES)
    assert DEFAULT_MODEL in REALTIME_MODELS
    assert DEFAULT_TRANSCRIPTION_MODEL in TRANSCRIPTION_PRICES


def test_voices_are_those_of_the_sdk() -> None:
    """Exactly those."""
    assert literals(RealtimeAudioConfigOutput.model_fields["voice"].annotation) == set(VOICES)
