"""A test double of Twilio's REST API for messages and calls: an HTTP server that can refuse requests or hang."""

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import parse_qsl

REFUSALS = {
    400: (21211, "Invalid 'To' Phone Number: {to}"),
    404: (20404, "The requested resource was not found"),
    503: (20503, "Service unavailable"),
}
NOT_IN_PROGRESS = (21220, "Call is not in-progress. Cannot redirect.")
A_CALL = re.compile(r".*/Calls/(CA\w+)\.json")


class TwilioRest:
    """A context manager. `messages` and `calls` have the fields of each request for one, in order.

    `refuse[number]` is the status of the answer to messages and calls to that number, with Twilio's JSON if it is in
    `REFUSALS` and HTML otherwise; `refuse[sid]` is the same for requests about a call (400: not in progress). `hang`
    delays all answers until the end of the context. `call_statuses` has the existing calls, `redirected` each
    redirected call's sid and URL, `requests` each request's path and authorization.
    """

    def __init__(self) -> None:
        self.messages: list[dict[str, str]] = []
        self.calls: list[dict[str, str]] = []
        self.call_statuses: dict[str, str] = {}
        self.redirected: list[tuple[str, str]] = []
        self.requests: list[tuple[str, str]] = []
        self.refuse: dict[str, int] = {}
        self.hang = threading.Event()
        self._released = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    @property
    def url(self) -> str:
        """The value for `TWILIO_API_URL`."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def sent_to(self, number: str) -> list[dict[str, str]]:
        """The messages to one number."""
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

    def _carry_out(self, path: str, fields: dict[str, str]) -> tuple[int, dict[str, str]]:
        """Carries out a request; returns the status and the resource of the answer."""
        if found := A_CALL.fullmatch(path):
            sid = found[1]
            status = self.refuse.get(sid, 200 if sid in self.call_statuses else 404)
            if status == 200 and "Url" in fields:
                self.redirected.append((sid, fields["Url"]))
            return status, {"sid": sid, "status": self.call_statuses.get(sid, "")}
        created = self.calls if path.endswith("/Calls.json") else self.messages
        created.append(fields)
        kind = "CA" if created is self.calls else "SM"
        sid = f"{kind}{len(created):032d}"
        status = self.refuse.get(fields["To"], 201)
        if status == 201 and created is self.calls:
            self.call_statuses[sid] = "queued"
        return status, {"sid": sid, "status": "queued"}

    def _answer(self, path: str, fields: dict[str, str]) -> tuple[int, bytes]:
        status, resource = self._carry_out(path, fields)
        if status in (200, 201) and (status == 201 or A_CALL.fullmatch(path)):
            return status, json.dumps(resource).encode()
        if status not in REFUSALS:
            return status, b"<html>a proxy between us and Twilio</html>"
        code, text = NOT_IN_PROGRESS if status == 400 and A_CALL.fullmatch(path) else REFUSALS[status]
        message = text.format(to=fields.get("To"))
        return status, json.dumps({"code": code, "message": message, "status": status}).encode()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        rest = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._handle({})

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                self._handle(dict(parse_qsl(body, keep_blank_values=True)))

            def _handle(self, fields: dict[str, str]) -> None:
                rest.requests.append((self.path, self.headers["Authorization"]))
                status, payload = rest._answer(self.path, fields)
                if rest.hang.is_set():
                    rest._released.wait()
                self.send_response(status)
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            def log_message(self, format: str, *args: object) -> None:  # the base class has this name
                """Logs nothing."""

        return Handler
