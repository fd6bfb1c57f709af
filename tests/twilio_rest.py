"""Just enough of Twilio's REST API to send messages to: a real HTTP server that can be told to refuse or to hang."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import parse_qsl

REFUSALS = {400: (21211, "Invalid 'To' Phone Number: {to}"), 503: (20503, "Service unavailable")}


class TwilioRest:
    """A context manager. `messages` holds the fields of each message that was asked for, in order.

    `refuse[number]` is the status that messages to that number are answered with, in Twilio's JSON for those in
    `REFUSALS` and else in HTML; `hang` keeps every answer back.
    """

    def __init__(self) -> None:
        self.messages: list[dict[str, str]] = []
        self.requests: list[tuple[str, str]] = []
        self.refuse: dict[str, int] = {}
        self.hang = threading.Event()
        self._released = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    @property
    def url(self) -> str:
        """What `TWILIO_API_URL` is set to."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def sent_to(self, number: str) -> list[dict[str, str]]:
        """The messages asked for to one number."""
        return [message for message in self.messages if message["To"] == number]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answer(self, status: int, to: str) -> bytes:
        if status == 201:
            return json.dumps({"sid": f"SM{len(self.messages):032d}", "status": "queued"}).encode()
        if status not in REFUSALS:
            return b"<html>something between us and Twilio</html>"
        code, text = REFUSALS[status]
        return json.dumps({"code": code, "message": text.format(to=to), "status": status}).encode()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        rest = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                fields = dict(parse_qsl(body, keep_blank_values=True))
                rest.messages.append(fields)
                rest.requests.append((self.path, self.headers["Authorization"]))
                if rest.hang.is_set():
                    rest._released.wait()
                status = rest.refuse.get(fields["To"], 201)
                payload = rest._answer(status, fields["To"])
                self.send_response(status)
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            def log_message(self, format: str, *args: object) -> None:  # the name is the base class's
                """The test's own output is enough."""

        return Handler
