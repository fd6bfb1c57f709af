"""The caller's audio becomes turns, items and words."""

import base64
from typing import Any

from local.audio.recogniser import Dictated
from local.audio.speech import silence, tone
from local.model import Hold, Say, Scripted, SimulatedModel
from tests.local.model.client import MU_LAW, SPEECH, Client, talking


def _input(**settings: Any) -> dict[str, Any]:
    return {**MU_LAW, "input": {**MU_LAW["input"], **settings}}


async def _append(client: Client, audio: bytes) -> None:
    await client.send("input_audio_buffer.append", audio=base64.b64encode(audio).decode())


async def test_a_turn_is_started_stopped_committed_and_added_in_this_order() -> None:
    """Each event has the id of the coming item; then the model answers."""
    async with SimulatedModel(brain=Scripted(), recogniser=Dictated("hello")) as model, talking(model) as client:
        del client.events[:]
        await client.speak()
        await client.until("response.created")
        assert client.types == [
            "input_audio_buffer.speech_started",
            "input_audio_buffer.speech_stopped",
            "input_audio_buffer.committed",
            "conversation.item.added",
            "conversation.item.done",
            "response.created",
        ]
        ids = [event.get("item_id") or event["item"]["id"] for event in client.events[:5]]
        assert len(set(ids)) == 1
        assert (client.events[0]["audio_start_ms"], client.events[1]["audio_end_ms"]) == (100, 1500)
        assert model.sessions[0].conversation.items[0].audio_ms == 1400
        assert client.events[3]["item"]["content"] == [{"type": "input_audio", "transcript": None}]


async def test_offsets_count_all_audio_of_the_session() -> None:
    """The second turn's offsets do not start at 0 again."""
    async with SimulatedModel(brain=Scripted(), recogniser=Dictated()) as model, talking(model) as client:
        for expected in (100, 1800):
            await client.speak()
            started = await client.until("input_audio_buffer.speech_started")
            assert started["audio_start_ms"] == expected


async def test_the_words_reach_the_model_without_any_transcription() -> None:
    """The model hears audio; transcription is for the client, and off by default."""
    brain = Scripted()
    async with SimulatedModel(brain=brain, recogniser=Dictated("good day")) as model, talking(model) as client:
        await client.speak()
        await client.until("response.done")
        assert brain.turns[0].heard == "good day"
        assert not [name for name in client.types if "transcription" in name]


async def test_a_transcription_has_its_words_and_usage() -> None:
    """Word by word, then complete, for the spoken item."""
    audio = _input(transcription={"model": "gpt-transcribe"})
    async with SimulatedModel(brain=Scripted(), recogniser=Dictated("good day")) as model:
        async with talking(model, audio=audio) as client:
            await client.speak()
            completed = await client.until("conversation.item.input_audio_transcription.completed")
            assert completed["transcript"] == "good day"
            assert completed["item_id"] == client.of_type("input_audio_buffer.committed")[0]["item_id"]
            assert completed["usage"]["input_tokens"] == 14
            deltas = client.of_type("conversation.item.input_audio_transcription.delta")
            assert "".join(event["delta"] for event in deltas).strip() == "good day"


async def test_words_said_and_typed_since_the_last_answer_are_heard_together() -> None:
    """Two turns without an answer between them, and a text message."""
    brain = Scripted(Say("Yes?", ms=100))
    audio = _input(turn_detection={"type": "server_vad", "create_response": False})
    async with SimulatedModel(brain=brain, recogniser=Dictated("one", "two", "three")) as model:
        async with talking(model, audio=audio) as client:
            await client.speak()
            await client.speak()
            typed = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "5"}]}
            await client.send("conversation.item.create", item=typed)
            await client.respond()
            await client.speak()
            await client.respond()
            assert [turn.heard for turn in brain.turns] == ["one two 5", "three"]


async def test_without_turn_detection_the_client_commits() -> None:
    """There are no events of voice activity, and a commit does not start a response."""
    brain = Scripted(Say("Yes?", ms=100))
    async with SimulatedModel(brain=brain, recogniser=Dictated("hello")) as model:
        async with talking(model, audio=_input(turn_detection=None)) as client:
            await _append(client, SPEECH)
            await client.send("input_audio_buffer.commit")
            committed = await client.until("input_audio_buffer.committed")
            assert committed["previous_item_id"] is None
            await client.until("conversation.item.done")
            assert (await client.ask("input_audio_buffer.commit"))["code"] == "input_audio_buffer_commit_empty"
            assert not client.of_type("input_audio_buffer.speech_started")
            assert not client.of_type("response.created")
            await client.respond()
            assert brain.turns[0].heard == "hello"


async def test_a_commit_of_less_than_a_tenth_of_a_second_is_refused() -> None:
    """The audio stays in the buffer for a later one."""
    async with SimulatedModel(brain=Scripted(), recogniser=Dictated()) as model:
        async with talking(model, audio=_input(turn_detection=None)) as client:
            await _append(client, tone(60))
            assert (await client.ask("input_audio_buffer.commit"))["code"] == "input_audio_buffer_commit_empty"
            await _append(client, tone(60))
            await client.send("input_audio_buffer.commit")
            await client.until("input_audio_buffer.committed")


async def test_a_commit_during_speech_restarts_the_detection() -> None:
    """The committed item is not the announced one, and the silence after it ends no turn."""
    async with SimulatedModel(brain=Scripted(), recogniser=Dictated()) as model, talking(model) as client:
        await _append(client, tone(400))
        await client.send("input_audio_buffer.commit")
        committed = await client.until("input_audio_buffer.committed")
        assert committed["item_id"] != client.of_type("input_audio_buffer.speech_started")[0]["item_id"]
        await _append(client, silence(1000))
        await client.send("input_audio_buffer.clear")
        await client.until("input_audio_buffer.cleared")
        assert not client.of_type("input_audio_buffer.speech_stopped")


async def test_a_cleared_buffer_is_no_turn() -> None:
    """Speech that had begun is discarded, and the silence after it ends no turn."""
    async with SimulatedModel(brain=Scripted(), recogniser=Dictated()) as model, talking(model) as client:
        await _append(client, tone(400))
        await client.send("input_audio_buffer.clear")
        await _append(client, silence(1000))
        assert (await client.ask("response.cancel"))["code"] == "response_cancel_not_active"
        assert client.of_type("input_audio_buffer.cleared")
        assert not client.of_type("input_audio_buffer.speech_stopped")


async def test_audio_before_the_formats_are_set_is_noise() -> None:
    """mu-law decoded as 24 kHz PCM, in which the recogniser finds no words."""
    heard: list[bytes] = []

    class Listener:
        async def recognise(self, audio: bytes) -> str:
            heard.append(audio)
            return ""

    async with SimulatedModel(brain=Scripted(), recogniser=Listener()) as model:
        async with talking(model, audio={"input": {"turn_detection": None}}) as client:
            await _append(client, SPEECH)
            await client.send("input_audio_buffer.commit")
            await client.until("input_audio_buffer.committed")
            assert len(heard[0]) < len(SPEECH) / 5


async def test_a_slow_recogniser_delays_the_answer_alone() -> None:
    """The response is created at once and waits for the words; other events are handled meanwhile."""
    hold = Hold()

    class Slow:
        async def recognise(self, audio: bytes) -> str:
            await hold.wait()
            return "finally"

    brain = Scripted(Say("Yes?", ms=100))
    async with SimulatedModel(brain=brain, recogniser=Slow()) as model, talking(model) as client:
        await client.speak()
        await client.until("response.created")
        await client.send("input_audio_buffer.clear")
        await client.until("input_audio_buffer.cleared")
        assert not brain.turns
        hold.release()
        await client.until("response.done")
        assert brain.turns[0].heard == "finally"
