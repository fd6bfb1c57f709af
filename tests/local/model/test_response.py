"""One response as a client sees it: the order of its events, its audio, its end."""

import base64
import json
import re

import pytest

from local.audio.recogniser import Dictated
from local.audio.speech import speak, tone
from local.model import CallTool, Hold, Say, Scripted, SimulatedModel
from tests.local.model.client import HOURS, MU_LAW, talking


def _model(*responses: object, pace: float = 100, **options: float) -> SimulatedModel:
    brain = Scripted(*responses)  # type: ignore[arg-type] # whatever Scripted takes
    return SimulatedModel(brain=brain, recogniser=Dictated(), pace=pace, **options)  # type: ignore[arg-type] # as above


async def test_a_spoken_response_has_the_services_events_in_their_order() -> None:
    """From created to done, each once, with the deltas in between."""
    async with _model(Say("Hello there.", ms=300)) as model, talking(model) as client:
        del client.events[:]
        done = await client.respond()
        assert client.types == [
            "response.created",
            "rate_limits.updated",
            "response.output_item.added",
            "conversation.item.added",
            "response.content_part.added",
            "response.output_audio_transcript.delta",
            "response.output_audio.delta",
            "response.output_audio.done",
            "response.output_audio_transcript.done",
            "response.content_part.done",
            "conversation.item.done",
            "response.output_item.done",
            "response.done",
        ]
        assert (done["status"], done["status_details"]) == ("completed", None)
        [item] = done["output"]
        assert item["status"] == "completed"
        assert item["content"] == [{"type": "output_audio", "transcript": "Hello there."}]
        assert len({event["event_id"] for event in client.events}) == len(client.events)


async def test_audio_has_exactly_the_length_that_was_planned() -> None:
    """In deltas of the configured length, the last one shorter; the transcript's deltas are complete too."""
    async with _model(Say("One two three four five.", ms=1234), delta_ms=250) as model, talking(model) as client:
        await client.respond()
        assert client.audio() == tone(1234)
        sizes = [len(base64.b64decode(e["delta"])) // 8 for e in client.of_type("response.output_audio.delta")]
        assert sizes == [250, 250, 250, 250, 234]
        words = [event["delta"] for event in client.of_type("response.output_audio_transcript.delta")]
        assert "".join(words) == "One two three four five."
        assert len(words) > 1


async def test_text_without_a_length_is_spoken_by_the_voice() -> None:
    """The audio is the spoken text."""
    async with _model(Say("Good morning.")) as model, talking(model) as client:
        await client.respond()
        assert client.audio() == speak("Good morning.")


async def test_audio_comes_in_the_sessions_output_format() -> None:
    """24 kHz PCM by default: six bytes for one of mu-law."""
    async with _model(Say("Hello.", ms=600)) as model, talking(model, audio={}) as client:
        await client.respond()
        assert len(client.audio()) == pytest.approx(600 * 48, abs=40)


async def test_a_response_may_hold_several_items_and_calls() -> None:
    """A preamble, two calls and an answer, each with its own index and ids."""
    plan = [
        Say("Let me see.", ms=300),
        CallTool("opening_hours", {"day": "mon"}, "call_1"),
        CallTool("opening_hours", "{"),
    ]
    async with _model([*plan, Say("So.", ms=300)]) as model, talking(model, tools=[HOURS]) as client:
        done = await client.respond()
        added = client.of_type("response.output_item.added")
        assert [event["output_index"] for event in added] == [0, 1, 2, 3]
        assert [item["type"] for item in done["output"]] == ["message", "function_call", "function_call", "message"]
        assert len({item["id"] for item in done["output"]}) == 4
        [first, second] = client.of_type("response.function_call_arguments.done")
        assert (first["call_id"], first["name"], json.loads(first["arguments"])) == (
            "call_1",
            "opening_hours",
            {"day": "mon"},
        )
        assert (second["arguments"], second["call_id"] != "call_1") == ("{", True)
        deltas = [
            e["delta"] for e in client.of_type("response.function_call_arguments.delta") if e["call_id"] == "call_1"
        ]
        assert "".join(deltas) == first["arguments"]


async def test_a_text_response_has_no_audio() -> None:
    """With `output_modalities` text, for this response only."""
    async with _model(Say("In writing.", ms=300), Say("Aloud.", ms=300)) as model, talking(model) as client:
        done = await client.respond(output_modalities=["text"])
        assert done["output"][0]["content"] == [{"type": "output_text", "text": "In writing. "}]
        assert not client.audio()
        await client.respond()
        assert client.audio()


async def test_audio_is_faster_than_real_time_but_not_all_at_once() -> None:
    """Other events are handled while a second of audio is still to be sent."""
    async with _model(Say("A long story.", ms=4000), pace=20) as model, talking(model) as client:
        await client.send("response.create")
        await client.until("response.output_audio.delta")
        await client.send("input_audio_buffer.clear")
        await client.until("response.done")
        assert client.types.index("input_audio_buffer.cleared") < client.types.index("response.output_audio.done")


async def test_metadata_comes_back_with_the_response() -> None:
    """In its first and its last event, to identify it."""
    async with _model(Say("Hello.", ms=100)) as model, talking(model) as client:
        done = await client.respond(metadata={"reason": "greeting"})
        [created] = client.of_type("response.created")
        assert created["response"]["metadata"] == done["metadata"] == {"reason": "greeting"}
        assert created["response"]["id"] == done["id"]
        assert re.fullmatch(r"resp_\w{21}", done["id"])


async def test_a_cancelled_response_is_closed_item_by_item() -> None:
    """Its item is incomplete, with the words so far, and its done events are sent too."""
    hold = Hold()
    async with _model([Say("One two three.", ms=2000, hold=hold, hold_at_ms=600)]) as model, talking(model) as client:
        await client.send("response.create")
        await hold.reached.wait()
        await client.send("response.cancel")
        done = (await client.until("response.done"))["response"]
        assert (done["status"], done["status_details"]["reason"]) == ("cancelled", "client_cancelled")
        assert done["output"][0]["status"] == "incomplete"
        assert len(client.of_type("response.output_audio.done")) == 1
        assert client.audio() == tone(600)


async def test_what_is_held_waits_until_it_is_released() -> None:
    """Between two items: the second comes only after the release."""
    hold = Hold()
    async with _model([Say("Wait.", ms=200), hold, Say("Now.", ms=200)]) as model, talking(model) as client:
        await client.send("response.create")
        await hold.reached.wait()
        assert len(model.sessions[0].conversation.items) == 1
        hold.release()
        done = (await client.until("response.done"))["response"]
        assert len(done["output"]) == 2


async def test_a_token_budget_cuts_a_long_answer() -> None:
    """Twenty tokens are a second of audio."""
    async with _model(Say("On and on.", ms=5000)) as model, talking(model, max_output_tokens=40) as client:
        done = await client.respond()
        assert (done["status"], done["status_details"]["reason"]) == ("incomplete", "max_output_tokens")
        assert len(client.audio()) == 2000 * 8


async def test_a_short_answer_stays_within_its_budget() -> None:
    """A budget does not end a response that is shorter."""
    async with _model(Say("Short.", ms=500)) as model, talking(model, max_output_tokens=40) as client:
        assert (await client.respond())["status"] == "completed"


async def test_usage_counts_what_was_said_and_heard() -> None:
    """The first response's words are cached input of the second."""
    async with _model(Say("Hello.", ms=1000), Say("Hello again.", ms=2000)) as model, talking(model) as client:
        first, second = await client.respond(), await client.respond()
        assert first["usage"]["output_token_details"]["audio_tokens"] == 20
        assert first["usage"]["input_token_details"]["cached_tokens"] == 0
        assert second["usage"]["input_token_details"]["audio_tokens"] == 20
        assert second["usage"]["output_token_details"]["audio_tokens"] == 40
        third = await client.respond()
        assert third["usage"]["input_token_details"]["cached_tokens"] > 0


@pytest.mark.parametrize("side", ["input", "output"])
async def test_formats_are_read_back(side: str) -> None:
    """`session.updated` has the formats in use."""
    async with _model() as model, talking(model) as client:
        session = await client.configure()
        assert session["audio"][side]["format"] == MU_LAW[side]["format"]
