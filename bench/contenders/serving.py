"""Shared by the contenders: the model's URL, and the HTTP server."""

import os
import sys
from collections.abc import Awaitable, Callable
from typing import Final

import uvicorn
from fastapi import FastAPI, WebSocket

MODEL: Final = "gpt-realtime-2.1"


def model_url() -> str:
    """The URL of the Realtime socket at OPENAI_BASE_URL."""
    return f"ws{os.environ['OPENAI_BASE_URL'].removeprefix('http')}/realtime"


def authorization() -> dict[str, str]:
    return {"Authorization": f"Bearer {os.environ['OPENAI_API_KEY']}"}


def serve(media_stream: Callable[[WebSocket], Awaitable[None]]) -> None:
    """Serves a bridge on the port from the command line, like the originals: FastAPI on uvicorn, one process."""
    app = FastAPI()
    app.websocket("/media-stream")(media_stream)

    @app.get("/health")
    async def health() -> str:
        return "ok"

    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
