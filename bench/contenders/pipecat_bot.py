"""pipecat between Twilio and the model: its Twilio serializer and its OpenAI Realtime service in one pipeline.

It is built as in pipecat's examples for the two. The service uses 24 kHz PCM with the model, so audio is decoded,
resampled and encoded both ways; the transport sends the agent's audio in real time.
"""

import os

from fastapi import WebSocket
from pipecat.frames.frames import LLMRunFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair
from pipecat.runner.utils import parse_telephony_websocket
from pipecat.serializers.twilio import TwilioFrameSerializer
from pipecat.services.openai.realtime import events
from pipecat.services.openai.realtime.llm import OpenAIRealtimeLLMService
from pipecat.transports.websocket.fastapi import FastAPIWebsocketParams, FastAPIWebsocketTransport
from pipecat.workers.runner import WorkerRunner

from bench.contenders.serving import model_url, serve


async def media_stream(twilio: WebSocket) -> None:
    """Serves one call, from Twilio's handshake to the hang-up."""
    await twilio.accept()
    _kind, call = await parse_telephony_websocket(twilio)
    parameters = TwilioFrameSerializer.InputParams(auto_hang_up=False)  # the bench has no Twilio REST API
    serializer = TwilioFrameSerializer(call["stream_id"], call["call_id"], params=parameters)
    transport = FastAPIWebsocketTransport(
        twilio, FastAPIWebsocketParams(audio_in_enabled=True, audio_out_enabled=True, serializer=serializer)
    )
    context = LLMContext([{"role": "developer", "content": "Say hello!"}])
    user, assistant = LLMContextAggregatorPair(context)
    worker = PipelineWorker(
        Pipeline([transport.input(), user, _model(call["call_id"]), transport.output(), assistant]),
        params=PipelineParams(
            audio_in_sample_rate=8000, audio_out_sample_rate=8000, enable_metrics=True, enable_usage_metrics=True
        ),
    )

    @transport.event_handler("on_client_connected")  # type: ignore[untyped-decorator]
    async def greet(_transport: FastAPIWebsocketTransport, _client: WebSocket) -> None:
        await worker.queue_frames([LLMRunFrame()])

    @transport.event_handler("on_client_disconnected")  # type: ignore[untyped-decorator]
    async def leave(_transport: FastAPIWebsocketTransport, _client: WebSocket) -> None:
        await worker.cancel()

    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    await runner.run()


def _model(call_sid: str) -> OpenAIRealtimeLLMService:
    """The service. The URL's path identifies the call for the rig, since stamps do not survive resampling."""
    detection = events.AudioInput(
        transcription=events.InputAudioTranscription(), turn_detection=events.SemanticTurnDetection()
    )
    return OpenAIRealtimeLLMService(
        api_key=os.environ["OPENAI_API_KEY"],
        base_url=f"{model_url()}/{call_sid}",
        settings=OpenAIRealtimeLLMService.Settings(
            system_instruction="You are a helpful assistant on the phone. Be concise.",
            session_properties=events.SessionProperties(audio=events.AudioConfiguration(input=detection)),
        ),
    )


if __name__ == "__main__":
    serve(media_stream)
