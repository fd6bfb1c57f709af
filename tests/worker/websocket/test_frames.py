"""Our text frames are frames to `websockets`, and the other way round."""

import pytest
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.uri import parse_uri

from worker.websocket.frames import frame_size, read_text, text_frame

LONGEST = 2**20


def _data(size: int) -> bytes:
    return bytes(index % 251 for index in range(size))


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 300, 65535, 65536, 70000])
@pytest.mark.parametrize("masked", [True, False])
def test_a_frame_of_ours_is_read_by_websockets(size: int, masked: bool) -> None:
    """Masked ones by a server, others by a client, at each length that is written in another way."""
    uri = parse_uri("ws://localhost/")
    protocol = ServerProtocol(state=State.OPEN) if masked else ClientProtocol(uri, state=State.OPEN)
    protocol.receive_data(text_frame(_data(size), masked=masked))
    [event] = protocol.events_received()
    assert isinstance(event, Frame)
    assert (event.opcode, event.data) == (Opcode.TEXT, _data(size))


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 300, 65535])
@pytest.mark.parametrize("masked", [True, False])
def test_a_frame_of_websockets_is_read_by_us(size: int, masked: bool) -> None:
    """Wherever in what has arrived it begins, and only if all of it is there."""
    frame = Frame(Opcode.TEXT, _data(size)).serialize(mask=masked)
    assert read_text(b"before" + frame + b"after", 6, masked=masked, longest=LONGEST) == (_data(size), 6 + len(frame))
    assert read_text(frame[:-1], 0, masked=masked, longest=LONGEST) is None


def test_masks_differ() -> None:
    """Each frame has a mask of its own, and they do not run out."""
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
    assert read_text(frame.serialize(mask=masked), 0, masked=masked, longest=LONGEST) is None


@pytest.mark.parametrize("masked", [True, False])
def test_wrong_masking_is_left_to_websockets(masked: bool) -> None:
    """A client must mask and a server must not, whatever the length looks like then."""
    for size in (0, 125, 126, 300):
        frame = text_frame(_data(size), masked=not masked)
        assert read_text(frame, 0, masked=masked, longest=LONGEST) is None


def test_too_long_is_left_to_websockets() -> None:
    """It knows with which code such a socket is closed."""
    frame = text_frame(b"x" * 300, masked=True)
    assert read_text(frame, 0, masked=True, longest=300) is not None
    assert read_text(frame, 0, masked=True, longest=299) is None


@pytest.mark.parametrize("size", [0, 125, 126, 65535, 65536])
@pytest.mark.parametrize("masked", [True, False])
def test_size_of_a_frame(size: int, masked: bool) -> None:
    """It is known as soon as its header is there."""
    frame = text_frame(_data(size), masked=masked)
    assert frame_size(b"before" + frame, 6) == len(frame)
    header = 2 if size < 126 else 4 if size < 65536 else 10
    assert frame_size(frame[:header], 0) == len(frame)
    assert frame_size(frame[: header - 1], 0) is None
