"""The phone's end of the calls: a media stream as Twilio opens it, with a caller who sends sound without a pause."""

import asyncio
import json
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from websockets.client import ClientProtocol
from websockets.http11 import Request
from websockets.uri import parse_uri

from bench.rig.gauges import Gauges
from bench.rig.stamp import BYTES_PER_MS, FRAME_MS, Hearing, Payload, stamps
from bench.rig.websocket import WebSocket
from local.stack.process import HOST

_PAYLOAD: Final = b'"payload"'
_CONNECTED: Final = b'{"event":"connected","protocol":"Call","version":"1.0.0"}'
_ACCOUNT: Final = "AC" + "0" * 32


@dataclass(frozen=True)
class Line:
    """What a phone needs to connect: the bridge's port, its token for a call, and Twilio's signature."""

    port: int
    token: Callable[[str], str]
    signature: str


class Phone(WebSocket):
    """One stream. Its frames are stamped with its `number`; what it hears is stamped with a model session's serial.

    `interrupted_ns` returns when the caller last began to speak, for the serial of the call's model session.
    """

    def __init__(self, number: int, line: Line, gauges: Gauges, interrupted_ns: Callable[[int], int | None]) -> None:
        super().__init__(ClientProtocol(parse_uri(f"ws://{HOST}:{line.port}/media-stream")))
        self.number = number
        self.hearing = Hearing()
        self.frames_sent = 0
        self.traceable = 0  # of these, frames that can be identified on arrival
        self.clears = 0
        self.marks_echoed = 0
        self.talking = False
        self.dialled_ns = 0  # when the stream's handshake began
        self.heard_agent: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._line = line
        self._gauges = gauges
        self._interrupted_ns = interrupted_ns
        self._loop = asyncio.get_running_loop()
        self._stream_sid = b"MZ%032d" % number
        # A frame without its numbers, which are inserted when it is sent.
        self._media = (
            b'{"event":"media","sequenceNumber":"%%d","media":{"track":"inbound","chunk":"%%d","timestamp":"%%d",'
            b'"payload":"%%b"},"streamSid":"%b"}' % self._stream_sid
        )
        self._payload = Payload(FRAME_MS)
        self._started_ns = 0
        self._played_until = 0.0
        self._marks: deque[tuple[float, bytes]] = deque()  # when each mark's audio has been played, and its echo
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.dialled_ns = time.monotonic_ns()
        super().connection_made(transport)

    def request(self, handshake: ClientProtocol) -> Request:
        request = handshake.connect()
        request.headers["X-Twilio-Signature"] = self._line.signature
        return request

    def start(self) -> None:
        """Sends `start`, and talks from then on."""
        call_sid, stream_sid = f"CA{self.number:032}", self._stream_sid.decode()
        parameters = {"token": self._line.token(call_sid), "caller": f"+1555{self.number:07}", "called": "+15550100200"}
        start = {
            "accountSid": _ACCOUNT,
            "streamSid": stream_sid,
            "callSid": call_sid,
            "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
            "customParameters": parameters,
        }
        message = {"event": "start", "sequenceNumber": "1", "start": start, "streamSid": stream_sid}
        self.send(_CONNECTED)
        self._started_ns = time.monotonic_ns()
        self.send(json.dumps(message, separators=(",", ":")).encode())
        self.talking = True

    def talk(self) -> None:
        """Sends the caller's next 20 ms."""
        count = self.frames_sent
        self.frames_sent += 1
        self.send(self._media % (count + 2, count + 1, count * FRAME_MS, self.frame(count)))

    def frame(self, count: int) -> bytes:
        """The audio of the caller's next 20 ms."""
        self.traceable += 1
        return self._payload.stamped(self.number, count)

    def fall_silent(self) -> None:
        """Stops sending audio whose arrival is counted."""
        self.talking = False

    def hang_up(self) -> None:
        self.talking = False
        self.send(b'{"event":"stop","sequenceNumber":"0","stop":{},"streamSid":"%b"}' % self._stream_sid)
        self.close()

    def receives(self, message: bytes) -> None:
        if (at := message.find(_PAYLOAD)) >= 0:
            self._play(message, at + len(_PAYLOAD))
        elif b'"mark"' in message:
            self._mark(message)
        elif b'"clear"' in message:
            self._clear()

    def hears(self, message: bytes, now_ns: int) -> None:
        """Records the agent's audio."""
        for stamp in stamps(message):
            self.hearing.hear(stamp)
            if self._gauges.recording:
                self._gauges.to_phone.append(now_ns - stamp.sent_ns)

    def connection_lost(self, exc: Exception | None) -> None:
        self.talking = False
        self._stop_timer()
        super().connection_lost(exc)

    def _play(self, message: bytes, name_end: int) -> None:
        now_ns = time.monotonic_ns()
        self.hears(message, now_ns)
        if not self.heard_agent.done():
            self._gauges.first_audio.append(now_ns - self._started_ns)
            self._gauges.since_dialled.append(now_ns - self.dialled_ns)
            self.heard_agent.set_result(None)
        start = message.index(b'"', name_end) + 1
        size = (message.index(b'"', start) - start) * 3 // 4
        self._played_until = max(self._loop.time(), self._played_until) + size / BYTES_PER_MS / 1000

    def _mark(self, message: bytes) -> None:
        name = json.dumps(json.loads(message)["mark"]["name"]).encode()
        echo = b'{"event":"mark","sequenceNumber":"0","streamSid":"%b","mark":{"name":%b}}' % (self._stream_sid, name)
        self._marks.append((self._played_until, echo))
        if self._timer is None:
            self._echo_played()

    def _echo_played(self) -> None:
        """Sends back the marks whose audio has been played, and sets a timer for the next one."""
        self._stop_timer()
        while self._marks and self._marks[0][0] <= self._loop.time():
            self._echo_first()
        if self._marks:
            self._timer = self._loop.call_at(self._marks[0][0], self._echo_played)

    def _echo_first(self) -> None:
        self.marks_echoed += 1
        self.send(self._marks.popleft()[1])

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _clear(self) -> None:
        """Drops the queue; its marks are sent back at once, as by Twilio."""
        self.clears += 1
        interrupted_ns = None if self.hearing.peer is None else self._interrupted_ns(self.hearing.peer)
        if self._gauges.recording and interrupted_ns is not None:
            self._gauges.clear.append(time.monotonic_ns() - interrupted_ns)
        self._played_until = 0.0
        self._stop_timer()
        while self._marks:
            self._echo_first()
