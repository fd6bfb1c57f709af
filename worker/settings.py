"""The worker's settings."""

from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr

from shared.numbers.countries import Countries
from shared.settings import Settings, WssUrl


def _model_url(value: str) -> str:
    if urlsplit(value).scheme not in ("http", "https") or not urlsplit(value).hostname:
        raise ValueError("must be an http(s) URL such as https://api.openai.com/v1")
    return value.rstrip("/")


class WorkerSettings(Settings):
    """The settings that the worker reads from its environment, once, at the start."""

    port: int = Field(default=8080, ge=1, le=65535, description="the port of the streams and of /health")
    openai_api_key: SecretStr = Field(description="OpenAI's API key")
    openai_base_url: Annotated[str, AfterValidator(_model_url)] = Field(
        default="https://api.openai.com/v1", description="where the Realtime API is, as OpenAI's SDK reads it"
    )
    twilio_auth_token: SecretStr = Field(description="signs Twilio's handshakes")
    stream_url: WssUrl = Field(description="the worker's public socket, as the voice function tells Twilio")
    signing_key: SecretStr = Field(min_length=16, description="the secret of the stream tokens")
    escalation_queue_url: str = Field(description="the SQS queue of escalations")
    agents_dir: Path = Field(default=Path(__file__).parent.parent / "agents", description="the folder of the agents")
    callback_countries: Countries = Field(
        default=(),
        description="countries of numbers that callers may ask to be called back at, such as US,CA",
    )
    max_calls: int = Field(default=200, ge=1, description="calls at once; a stream beyond that is refused")
    # A frame is 20 ms; if the event loop is late by several frames, the audio of every call stutters.
    max_lag_ms: int = Field(
        default=150, ge=20, description="ms by which the event loop may be late; a stream is refused while it is later"
    )
    session_pool_size: int = Field(
        default=4,
        ge=0,
        le=100,
        description="model sessions that stand ready for the next calls; 0 opens none ahead of its call",
    )
    drain_s: int = Field(
        default=110, ge=0, le=3600, description="seconds that running calls get to end once the worker must stop"
    )
    # Fargate sets these two. They are not validated, because a wrong value must not keep a worker from taking calls.
    ecs_agent_uri: str = Field(default="", description="ECS's agent, which protects the worker's task during calls")
    ecs_container_metadata_uri_v4: str = Field(default="", description="where ECS tells which task this is")
