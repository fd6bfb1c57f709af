"""Follows audio through a bridge that decodes, resamples and encodes it, which destroys stamps.

Both ends are silent except for clicks: the caller's once a second, the agent's at the start of an answer. A click is
detected by its loudness and identified by its order. The path of the session's request identifies the call.
"""

import audioop
import json
import time
from base64 import b64decode, b64encode
from collections import deque
from collections.abc import Callable
from typing import Final

from websockets.http11 import Request, Response
from websockets.server import ServerProtocol

from bench.rig.gauges import Gauges
from bench.rig.model import Distance, ModelSession, Script
from bench.rig.phone import Line, Phone
from bench.rig.stamp import BYTES_PER_MS, FRAME_MS
from bench.rig.tls import Tls

_CLICK_EVERY: Final = 50  # frames
_LEVEL: Final = 16000  # of a click, in 16-bit PCM
_LOUD: Final = _LEVEL // 2
_PCM_BYTES_PER_MS: Final = 48  # 24 kHz, a session's default
_APPEND: Final = b'"input_audio_buffer.append"'


class _Ear:
    """Detects the start of clicks; each is taken for the oldest one not heard yet."""

    def __init__(self, clicks: deque[int]) -> None:
        self._clicks = clicks  # when each was sent, in ns
        self._loud = False

    def hear(self, pcm: bytes) -> int | None:
        """If a click begins in this piece of audio, returns when it was sent, in ns."""
        was_loud, self._loud = self._loud, audioop.max(pcm, 2) > _LOUD
        return self._clicks.popleft() if self._loud and not was_loud and self._clicks else None


class _Call:
    """The clicks of one call that were sent and not heard yet, in both directions."""

    def __init__(self) -> None:
        self.to_model: deque[int] = deque()
        self.to_phone: deque[int] = deque()
        self.session: int | None = None


class ClickPhone(Phone):
    """A caller who clicks once a second, starting with the agent's first audio."""

    def __init__(
        self, number: int, line: Line, gauges: Gauges, interrupted_ns: Callable[[int], int | None], call: _Call
    ) -> None:
        super().__init__(number, line, gauges, interrupted_ns)
        self._call = call
        self._ear = _Ear(call.to_phone)
        self._clicking = True
        silence = bytes(FRAME_MS * BYTES_PER_MS * 2)
        self._quiet, self._click = (
            b64encode(audioop.lin2ulaw(audioop.bias(silence, 2, level), 2)) for level in (0, _LEVEL)
        )

    def frame(self, count: int) -> bytes:
        if count % _CLICK_EVERY or not self._clicking or not self.heard_agent.done():
            return self._quiet
        self.traceable += 1
        self._call.to_model.append(time.monotonic_ns())
        return self._click

    def fall_silent(self) -> None:
        self._clicking = False  # silence is still sent, which pushes the last click through the resampler

    def hears(self, message: bytes, now_ns: int) -> None:
        payload = json.loads(message)["media"]["payload"]
        sent_ns = self._ear.hear(audioop.ulaw2lin(b64decode(payload), 2))
        if sent_ns is None:
            return
        self.hearing.peer = self._call.session
        self.hearing.arrived += 1
        if self._gauges.recording:
            self._gauges.to_phone.append(now_ns - sent_ns)


class ClickSession(ModelSession):
    """A session whose answers begin with a click."""

    def __init__(
        self, calls: "Calls", serial: int, script: Script, gauges: Gauges, distance: Distance, tls: Tls | None
    ) -> None:
        super().__init__(serial, script, gauges, distance, tls)
        self._calls = calls
        self._call = _Call()
        self._ear = _Ear(self._call.to_model)
        silence = bytes(script.delta_ms * _PCM_BYTES_PER_MS)
        self._quiet, self._click = (b64encode(audioop.bias(silence, 2, level)) for level in (0, _LEVEL))
        self._number: int | None = None

    def answer(self, handshake: ServerProtocol, request: Request) -> Response:
        self._number = int(request.path.partition("?")[0][-_SID_DIGITS:])
        self._call = self._calls.of(self._number)
        self._call.session = self.serial
        self._ear = _Ear(self._call.to_model)
        return super().answer(handshake, request)

    def hears(self, message: bytes) -> bool:
        if _APPEND not in message:
            return False
        sent_ns = self._ear.hear(b64decode(json.loads(message)["audio"]))
        if sent_ns is not None:
            self.hearing.peer = self._number
            self.hearing.arrived += 1
            if self._gauges.recording:
                self._gauges.to_model.append(time.monotonic_ns() - sent_ns)
        return True

    def piece(self, number: int) -> bytes:
        if number:
            return self._quiet
        self.deltas_sent += 1
        self._call.to_phone.append(time.monotonic_ns())
        return self._click


_SID_DIGITS: Final = 32  # digits of a call's number in its SID


class Calls:
    """Matches the two ends of calls that are followed by clicks."""

    def __init__(self) -> None:
        self._calls: dict[int, _Call] = {}

    def of(self, number: int) -> _Call:
        return self._calls.setdefault(number, _Call())

    def phone(self, number: int, line: Line, gauges: Gauges, interrupted_ns: Callable[[int], int | None]) -> Phone:
        return ClickPhone(number, line, gauges, interrupted_ns, self.of(number))

    def session(self, serial: int, script: Script, gauges: Gauges, distance: Distance, tls: Tls | None) -> ModelSession:
        return ClickSession(self, serial, script, gauges, distance, tls)
