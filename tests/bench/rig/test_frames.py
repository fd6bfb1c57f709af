"""The rig and `websockets` can read each other's frames."""

import pytest
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.uri import parse_uri

from bench.rig.frames import FrameReader, UnexpectedFrameError, frame

SIZES = [0, 1, 125, 126, 127, 300, 65535, 65536, 70000]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("masked", [True, False])
def test_a_frame_of_ours_is_read_by_websockets(size: int, masked: bool) -> None:
    """Masked ones by a server, others by a client, for each encoding of the length."""
    uri = parse_uri("ws://localhost/")
    protocol = ServerProtocol(state=State.OPEN) if masked else ClientProtocol(uri, state=State.OPEN)
    protocol.receive_data(frame(Opcode.TEXT, b"a" * size, masked=masked))
    [event] = protocol.events_received()
    assert isinstance(event, Frame)
    assert (event.opcode, event.data) == (Opcode.TEXT, b"a" * size)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("masked", [True, False])
def test_a_frame_of_websockets_is_read_by_us(size: int, masked: bool) -> None:
    """With its random masks."""
    data = bytes(index % 251 for index in range(size))
    [(opcode, payload)] = FrameReader().feed(Frame(Opcode.TEXT, data).serialize(mask=masked))
    assert (opcode, payload) == (Opcode.TEXT, data)


@pytest.mark.parametrize("piece", [1, 3, 7, 400])
def test_frames_are_read_however_they_are_cut(piece: int) -> None:
    """Byte by byte, or many frames in one piece."""
    sent = [b"first", b"", b"x" * 200, b"last"]
    data = b"".join(frame(Opcode.TEXT, message, masked=True) for message in sent)
    reader = FrameReader()
    read = [payload for at in range(0, len(data), piece) for _opcode, payload in reader.feed(data[at : at + piece])]
    assert read == sent


@pytest.mark.parametrize("first", [0x01, 0x80, 0x82, 0xC1])
def test_what_the_rig_cannot_read_is_an_error(first: int) -> None:
    """A fragment, a binary or a compressed message: each would be counted wrongly."""
    with pytest.raises(UnexpectedFrameError, match=f"{first:#x}"):
        FrameReader().feed(bytes([first, 0]))
