"""Just enough of Twilio's REST API for messages and calls: a real HTTP server that can be told to refuse or to hang."""

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
    """A context manager. `messages` and `calls` hold the fields of each that was asked for, in order.

    `refuse[number]` is the status that messages and calls to that number are answered with, in Twilio's JSON for those
    in `REFUSALS` and else in HTML; so are requests about the call of that sid (400: it is not in progress). `hang`
    keeps every answer back. `call_statuses` are the calls that there are, `redirected` the URLs they were sent to.
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

    def _done(self, path: str, fields: dict[str, str]) -> tuple[int, dict[str, str]]:
        """What a request does: the status and the resource that it is answered with."""
        if found := A_CALL.fullmatch(path):
            sid = found[1]
            status = self.refuse.get(sid, 200 if sid in self.call_statuses else 404)
            if status == 200 and "Url" in fields:
                self.redirected.append((sid, fields["Url"]))
            return status, {"sid": sid, "status": self.call_statuses.get(sid, "")}
        asked = self.calls if path.endswith("/Calls.json") else self.messages
        asked.append(fields)
        kind = "CA" if asked is self.calls else "SM"
        sid = f"{kind}{len(asked):032d}"
        status = self.refuse.get(fields["To"], 201)
        if status == 201 and asked is self.calls:
            self.call_statuses[sid] = "queued"
        return status, {"sid": sid, "status": "queued"}

    def _answer(self, path: str, fields: dict[str, str]) -> tuple[int, bytes]:
        status, resource = self._done(path, fields)
        if status in (200, 201) and (status == 201 or A_CALL.fullmatch(path)):
            return status, json.dumps(resource).encode()
        if status not in REFUSALS:
            return status, b"<html>something between us and Twilio</html>"
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

            def log_message(self, format: str, *args: object) -> None:  # the name is the base class's
                """The test's own output is enough."""

        return Handler
