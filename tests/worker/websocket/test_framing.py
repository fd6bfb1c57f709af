"""Messages read from bytes that are split anywhere, compared with `websockets` reading the same bytes."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.frames import Close, CloseCode, Frame, Opcode
from websockets.protocol import Protocol, State
from websockets.server import ServerProtocol
from websockets.uri import parse_uri

from worker.websocket import framing
from worker.websocket.framing import Framing, frame_size, read_text, text_frame

LONGEST = 1000


def _server() -> tuple[Framing, ServerProtocol]:
    protocol = ServerProtocol(state=State.OPEN, max_size=LONGEST)
    return Framing(protocol, LONGEST), protocol


def _client() -> tuple[Framing, ClientProtocol]:
    protocol = ClientProtocol(parse_uri("ws://localhost/"), state=State.OPEN, max_size=LONGEST)
    return Framing(protocol, LONGEST), protocol


def _feed(socket: Framing, data: bytes) -> list[bytes]:
    """All messages that the data completes, read a few frames at a time."""
    messages = socket.read(data, 2)
    while socket.unread:
        messages += socket.read(b"", 2)
    return messages


def _masked(*frames: Frame) -> bytes:
    return b"".join(frame.serialize(mask=True) for frame in frames)


def _text(data: bytes, *, fin: bool = True) -> Frame:
    return Frame(Opcode.TEXT, data, fin)


CONVERSATION = [
    _text(b"first"),
    Frame(Opcode.PING, b"there?"),
    _text(b"x" * 300),
    _text(b"one ", fin=False),
    Frame(Opcode.PONG, b""),
    Frame(Opcode.CONT, b"two ", fin=False),
    Frame(Opcode.CONT, b"three"),
    _text(b""),
    Frame(Opcode.BINARY, b"\x00\xff"),
    _text(b"last"),
]
MESSAGES = [b"first", b"x" * 300, b"one two three", b"", b"\x00\xff", b"last"]


@pytest.mark.parametrize("piece", [1, 2, 3, 7, 100, 10_000])
def test_messages_however_they_are_split(piece: int) -> None:
    """Byte by byte or in one piece, with fragments and pings in between."""
    server, protocol = _server()
    data = _masked(*CONVERSATION)
    read = [message for at in range(0, len(data), piece) for message in _feed(server, data[at : at + piece])]
    assert read == MESSAGES
    assert b"".join(protocol.data_to_send()) == Frame(Opcode.PONG, b"there?").serialize(mask=False)
    assert server.is_open


def test_a_text_message_bypasses_the_protocol() -> None:
    """A text message causes no protocol output, which makes it cheap; a ping does."""
    server, protocol = _server()
    assert _feed(server, _masked(_text(b"one"), _text(b"two"))) == [b"one", b"two"]
    assert not server.has_output
    assert _feed(server, _masked(Frame(Opcode.PING, b""))) == []
    assert server.has_output
    assert protocol.data_to_send()


frames = st.builds(
    Frame,
    st.sampled_from([Opcode.TEXT] * 4 + [Opcode.CONT, Opcode.BINARY, Opcode.PING, Opcode.PONG, Opcode.CLOSE]),
    st.binary(max_size=130)
    | st.just(b"y" * 700)
    | st.just(b"z" * (LONGEST + 1))
    | st.just(Close(1001, "bye").serialize()),
    st.sampled_from([True, True, True, False]),
)


def _serialized(frame: Frame, *, mask: bool) -> bytes:
    """Serialises a frame without checks, so that it may be invalid."""
    frame.check = lambda: None  # type: ignore[method-assign]
    return frame.serialize(mask=mask)


def _read_by_websockets(protocol: Protocol, pieces: list[bytes]) -> list[bytes]:
    messages, parts = [], []
    for piece in pieces:
        protocol.receive_data(piece)
        for frame in protocol.events_received():
            if isinstance(frame, Frame) and frame.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
                parts.append(bytes(frame.data))
                if frame.fin:
                    messages.append(b"".join(parts))
                    parts.clear()
    return messages


@given(st.lists(frames, max_size=8), st.randoms(use_true_random=False), st.booleans())
def test_the_same_as_websockets(sent: list[Frame], chance: random.Random, is_client: bool) -> None:
    """Any frames, valid or not, split anywhere, give the same messages, answers and end."""
    wire_, protocol = _client() if is_client else _server()
    _, alone = _client() if is_client else _server()
    data = b"".join(_serialized(frame, mask=not is_client or chance.random() < 0.02) for frame in sent)
    pieces = []
    while data:
        size = chance.choice([1, 2, 5, 50, 400, 10_000])
        pieces.append(data[:size])
        data = data[size:]
    messages = [message for piece in pieces for message in _feed(wire_, piece)]
    assert messages == _read_by_websockets(alone, pieces)
    assert (protocol.state, protocol.close_rcvd, protocol.close_sent) == (
        alone.state,
        alone.close_rcvd,
        alone.close_sent,
    )
    if not is_client:  # a client's frames have random masks
        assert protocol.data_to_send() == alone.data_to_send()


def test_what_is_sent() -> None:
    """A client masks, a server does not; each reads the other."""
    client, _ = _client()
    server, _ = _server()
    assert _feed(server, client.text(b"question")) == [b"question"]
    assert _feed(client, server.text(b"answer")) == [b"answer"]


def test_too_long() -> None:
    """The header of a message above the limit ends the socket."""
    server, protocol = _server()
    assert _feed(server, _masked(_text(b"z" * (LONGEST + 1)))[:8]) == []
    assert not server.is_open
    assert protocol.close_sent is not None
    assert protocol.close_sent.code == CloseCode.MESSAGE_TOO_BIG


def test_the_end() -> None:
    """Frames before a close frame are read, frames after it are not."""
    server, _ = _server()
    close = Frame(Opcode.CLOSE, Close(1001, "going").serialize())
    assert _feed(server, _masked(_text(b"last"), close, _text(b"too late"))) == [b"last"]
    assert not server.is_open
    assert server.close_code == 1001
    assert _feed(server, _masked(_text(b"too late"))) == []


def test_pings(monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer must answer each ping with the right pong, or the connection fails."""
    monkeypatch.setattr(framing, "_PING_BYTES", 8)
    client, client_protocol = _client()
    server, server_protocol = _server()
    for _ in range(3):
        assert server.ping()
        _feed(client, b"".join(server_protocol.data_to_send()))
        _feed(server, b"".join(client_protocol.data_to_send()))
    assert server.ping()
    _feed(server, _masked(Frame(Opcode.PONG, b"of no ping")))
    assert not server.ping()
    assert not server.is_open
    assert server.close_code is None


MEBIBYTE = 2**20


def _data(size: int) -> bytes:
    return bytes(index % 251 for index in range(size))


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 300, 65535, 65536, 70000])
@pytest.mark.parametrize("masked", [True, False])
def test_a_frame_of_ours_is_read_by_websockets(size: int, masked: bool) -> None:
    """Masked frames by a server, others by a client, at each encoding of the length."""
    uri = parse_uri("ws://localhost/")
    protocol = ServerProtocol(state=State.OPEN) if masked else ClientProtocol(uri, state=State.OPEN)
    protocol.receive_data(text_frame(_data(size), masked=masked))
    [event] = protocol.events_received()
    assert isinstance(event, Frame)
    assert (event.opcode, event.data) == (Opcode.TEXT, _data(size))


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 300, 65535])
@pytest.mark.parametrize("masked", [True, False])
def test_a_frame_of_websockets_is_read_by_us(size: int, masked: bool) -> None:
    """At any position in the data, and only if the frame is complete."""
    frame = Frame(Opcode.TEXT, _data(size)).serialize(mask=masked)
    assert read_text(b"before" + frame + b"after", 6, masked=masked, longest=MEBIBYTE) == (_data(size), 6 + len(frame))
    assert read_text(frame[:-1], 0, masked=masked, longest=MEBIBYTE) is None


def test_masks_differ() -> None:
    """Every frame has a new mask, also after the first block of masks."""
    masks = {text_frame(b"", masked=True)[2:] for _ in range(3000)}
    assert len(masks) > 2990


@pytest.mark.parametrize(
    "frame",
    [
        Frame(Opcode.TEXT, b"part", fin=False),
        Frame(Opcode.CONT, b"part"),
        Frame(Opcode.BINARY, b"binary"),
        Frame(Opcode.PING, b"ping"),
        Frame(Opcode.CLOSE, b""),
        Frame(Opcode.TEXT, b"x" * 65536),
    ],
    ids=str,
)
@pytest.mark.parametrize("masked", [True, False])
def test_what_is_left_to_websockets(frame: Frame, masked: bool) -> None:
    """Everything but a short text message in one frame."""
    assert read_text(frame.serialize(mask=masked), 0, masked=masked, longest=MEBIBYTE) is None


@pytest.mark.parametrize("masked", [True, False])
def test_wrong_masking_is_left_to_websockets(masked: bool) -> None:
    """A client must mask and a server must not; `read_text` returns None for wrong masking."""
    for size in (0, 125, 126, 300):
        frame = text_frame(_data(size), masked=not masked)
        assert read_text(frame, 0, masked=masked, longest=MEBIBYTE) is None


def test_too_long_is_left_to_websockets() -> None:
    """`websockets` closes the socket with the right code."""
    frame = text_frame(b"x" * 300, masked=True)
    assert read_text(frame, 0, masked=True, longest=300) is not None
    assert read_text(frame, 0, masked=True, longest=299) is None


@pytest.mark.parametrize("size", [0, 125, 126, 65535, 65536])
@pytest.mark.parametrize("masked", [True, False])
def test_size_of_a_frame(size: int, masked: bool) -> None:
    """The size is known when the header is complete."""
    frame = text_frame(_data(size), masked=masked)
    assert frame_size(b"before" + frame, 6) == len(frame)
    header = 2 if size < 126 else 4 if size < 65536 else 10
    assert frame_size(frame[:header], 0) == len(frame)
    assert frame_size(frame[: header - 1], 0) is None
