"""The input side of a session: audio becomes turns by voice activity detection or by the client's commit, and words
by the recogniser; it sends the transcription events that the session asked for."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from local.audio.recogniser import Recogniser
from local.model.configuration import Configuration
from local.model.conversation import Conversation, Item
from local.model.faults import FailTranscription, Faults, LateTranscription
from local.model.ids import new_id
from local.model.input_buffer import InputBuffer
from local.model.usage import transcription_usage
from local.model.vad import SpeechStarted, SpeechStopped
from local.model.wire import Wire


class Hearing:
    """The input side of one session; calls `on_start` when the caller begins a turn, `on_turn` when it is over."""

    def __init__(
        self,
        wire: Wire,
        conversation: Conversation,
        configuration: Configuration,
        recogniser: Recogniser,
        faults: Faults,
        tasks: asyncio.TaskGroup,
    ) -> None:
        self._wire, self._conversation, self._configuration = wire, conversation, configuration
        self._recogniser, self._faults, self._tasks = recogniser, faults, tasks
        self._buffer = InputBuffer()
        self._coming_id = ""
        self._from_ms = 0
        self._words: dict[str, asyncio.Task[str]] = {}
        self.configure()

    def configure(self) -> None:
        """Applies the session's input format and turn detection."""
        settings = self._configuration.audio_input
        self._buffer.configure(settings["format"]["type"], settings["turn_detection"])

    async def append(
        self, audio: str, on_start: Callable[[], Awaitable[None]], on_turn: Callable[[], Awaitable[None]]
    ) -> None:
        """Takes base64 audio, and starts or ends turns by the voice activity in it."""
        for found in self._buffer.append(audio):
            match found:
                case SpeechStarted(at_ms):
                    self._coming_id, self._from_ms = new_id("item"), at_ms
                    await self._wire.send(
                        "input_audio_buffer.speech_started", audio_start_ms=at_ms, item_id=self._coming_id
                    )
                    await on_start()
                case SpeechStopped(at_ms):
                    await self._wire.send(
                        "input_audio_buffer.speech_stopped", audio_end_ms=at_ms, item_id=self._coming_id
                    )
                    await self._commit(self._buffer.take(self._from_ms, at_ms))
                    await on_turn()

    async def commit(self) -> None:
        """Handles the client's commit; raises `Refused` if there is too little audio."""
        audio = self._buffer.commit()
        self._coming_id = ""
        self.configure()
        await self._commit(audio)

    async def clear(self) -> None:
        """Discards the uncommitted audio, and speech that began in it."""
        self._buffer.clear()
        self.configure()
        await self._wire.send("input_audio_buffer.cleared")

    async def time_out(self, idle_ms: int) -> None:
        """Handles the idle timeout: the silence of `idle_ms` becomes a turn."""
        end = self._buffer.written_ms
        start = max(0, end - idle_ms)
        self._coming_id = new_id("item")
        await self._wire.send(
            "input_audio_buffer.timeout_triggered", audio_start_ms=start, audio_end_ms=end, item_id=self._coming_id
        )
        await self._commit(self._buffer.take(start, end))

    async def _commit(self, audio: bytes) -> None:
        item = Item("message", role="user", content="input_audio", audio=audio)
        item.id, self._coming_id = self._coming_id or item.id, ""
        previous = self._conversation.add(item)
        await self._wire.send("input_audio_buffer.committed", previous_item_id=previous, item_id=item.id)
        for name in ("conversation.item.added", "conversation.item.done"):
            await self._wire.send(name, previous_item_id=previous, item=item.wire())
        self.recognise(item)
        if settings := self._configuration.audio_input["transcription"]:
            self._tasks.create_task(self._transcribe(item, settings["model"]))

    def recognise(self, item: Item) -> None:
        """Starts recognising the words of a spoken item."""
        self._words[item.id] = self._tasks.create_task(self._recogniser.recognise(item.audio))

    async def words(self, item: Item) -> str:
        """The words of a user's message, recognised from audio or given as text."""
        recognised = await asyncio.shield(self._words[item.id]) if item.id in self._words else ""
        return " ".join(part for part in (recognised, item.text if item.given else "") if part)

    async def _transcribe(self, item: Item, model: str) -> None:
        late, failed = self._faults.take(LateTranscription), self._faults.take(FailTranscription)
        transcript = await asyncio.shield(self._words[item.id])
        if late:
            await asyncio.sleep(late.seconds)
        place: dict[str, Any] = {"item_id": item.id, "content_index": 0}
        name = "conversation.item.input_audio_transcription"
        if failed:
            error = {"type": "transcription_error", "code": failed.code, "message": failed.message, "param": None}
            await self._wire.send(f"{name}.failed", **place, error=error)
            return
        item.text = transcript
        for word in transcript.split():
            await self._wire.send(f"{name}.delta", **place, delta=word if word == transcript else f"{word} ")
        usage = transcription_usage(model, item.audio_ms, transcript)
        await self._wire.send(f"{name}.completed", **place, transcript=transcript, usage=usage)
