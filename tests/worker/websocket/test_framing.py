"""Messages out of bytes, however these are cut, and beside `websockets` reading the very same bytes by itself."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.frames import Close, CloseCode, Frame, Opcode
from websockets.protocol import Protocol, State
from websockets.server import ServerProtocol
from websockets.uri import parse_uri

from worker.websocket import framing as wire
from worker.websocket.framing import Wire

LONGEST = 1000


def _server() -> tuple[Wire, ServerProtocol]:
    protocol = ServerProtocol(state=State.OPEN, max_size=LONGEST)
    return Wire(protocol, LONGEST), protocol


def _client() -> tuple[Wire, ClientProtocol]:
    protocol = ClientProtocol(parse_uri("ws://localhost/"), state=State.OPEN, max_size=LONGEST)
    return Wire(protocol, LONGEST), protocol


def _feed(socket: Wire, data: bytes) -> list[bytes]:
    """All messages that some data completes, read a few frames at a time."""
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
def test_messages_however_they_are_cut(piece: int) -> None:
    """Byte by byte, or all in one piece, with fragments and pings between."""
    server, protocol = _server()
    data = _masked(*CONVERSATION)
    read = [message for at in range(0, len(data), piece) for message in _feed(server, data[at : at + piece])]
    assert read == MESSAGES
    assert b"".join(protocol.data_to_send()) == Frame(Opcode.PONG, b"there?").serialize(mask=False)
    assert server.is_open


def test_a_text_message_does_not_stir_the_protocol() -> None:
    """Nothing has to be looked after then, which is what makes it cheap; after a ping something has."""
    server, protocol = _server()
    assert _feed(server, _masked(_text(b"one"), _text(b"two"))) == [b"one", b"two"]
    assert not server.stirred
    assert _feed(server, _masked(Frame(Opcode.PING, b""))) == []
    assert server.stirred
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
    """Without the checks that keep a decent peer from sending it."""
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
    """Any frames, right or wrong, cut anywhere: the same messages, the same answers, the same end."""
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
    if not is_client:  # whose frames are masked, each time differently
        assert protocol.data_to_send() == alone.data_to_send()


def test_what_is_sent() -> None:
    """A client masks, a server does not; each reads the other."""
    client, _ = _client()
    server, _ = _server()
    assert _feed(server, client.text(b"question")) == [b"question"]
    assert _feed(client, server.text(b"answer")) == [b"answer"]


def test_too_long() -> None:
    """A message above the limit is known by its header, and ends the socket."""
    server, protocol = _server()
    assert _feed(server, _masked(_text(b"z" * (LONGEST + 1)))[:8]) == []
    assert not server.is_open
    assert protocol.close_sent is not None
    assert protocol.close_sent.code == CloseCode.MESSAGE_TOO_BIG


def test_the_end() -> None:
    """What stands before a close frame is read, what stands behind it is not."""
    server, _ = _server()
    close = Frame(Opcode.CLOSE, Close(1001, "going").serialize())
    assert _feed(server, _masked(_text(b"last"), close, _text(b"too late"))) == [b"last"]
    assert not server.is_open
    assert server.close_code == 1001
    assert _feed(server, _masked(_text(b"too late"))) == []


def test_pings(monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer that answers each is there; one that does not answer, or answers something else, is not."""
    monkeypatch.setattr(wire, "_PING_BYTES", 8)
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
