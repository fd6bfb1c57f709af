"""Makes ASGI requests of HTTP API events with Mangum, without the stage in the path and with the raw path.

Twilio signs the URL as it was sent. Mangum decodes the path and drops the original.
"""

import binascii
import os
from typing import Any
from urllib.parse import unquote, urlsplit

from mangum.handlers import HTTPGateway
from mangum.types import LambdaConfig, LambdaContext, LambdaEvent, Scope


class HttpApi(HTTPGateway):
    """An event of an HTTP API, payload format 2.0.

    Its path begins with the stage, unless that is `$default`, or, behind a custom domain, with the mapping's base path.
    Either prefix is the path of `PUBLIC_URL`, the base of all URLs given to Twilio.
    """

    @classmethod
    def infer(cls, event: LambdaEvent, context: LambdaContext, config: LambdaConfig) -> bool:
        """Whether this is such an event; Mangum's own classes handle the others."""
        return event.get("version") == "2.0" and "requestContext" in event

    @property
    def scope(self) -> Scope:
        """The ASGI scope, whose `path` and `raw_path` begin below `PUBLIC_URL`."""
        context = self.event["requestContext"]
        sent = self.event.get("rawPath") or context["http"]["path"]
        public_path = urlsplit(os.environ.get("PUBLIC_URL", "")).path.rstrip("/")
        raw_path = below(sent, public_path, f"/{context.get('stage', '')}")
        scope: Any = super().scope
        return {**scope, "path": unquote(raw_path), "raw_path": raw_path.encode()}

    @property
    def body(self) -> bytes:
        """The decoded body. Invalid base64 counts as an empty body, which the routes refuse."""
        try:
            return super().body
        except binascii.Error:
            return b""


def below(path: str, *prefixes: str) -> str:
    """The path without the first of the prefixes that it begins with, in whole segments."""
    for prefix in prefixes:
        if prefix and (path == prefix or path.startswith(f"{prefix}/")):
            return path[len(prefix) :] or "/"
    return path
