"""What passes between the front and one of its processes, on a Unix socket: connections one way, a status the other."""

import socket
import struct
from typing import Final, NamedTuple

_STATUS: Final = struct.Struct("!III?")
_READ_BYTES: Final = 4096
_A_CONNECTION: Final = b"c"  # a descriptor travels with at least one byte


class Status(NamedTuple):
    """How busy a process is. Connections that were handed over and are neither taken nor open are on their way."""

    taken: int  # connections, since it was started
    open: int  # of them
    calls: int
    takes_calls: bool

    def pack(self) -> bytes:
        return _STATUS.pack(*self)


class Statuses:
    """Reads them in the order in which they come, however the socket cuts them."""

    def __init__(self) -> None:
        self._begun = b""

    def newest(self, channel: socket.socket) -> Status | None:
        """None if none is complete yet; raises `EOFError` when there will be no more, and `BlockingIOError`."""
        try:
            read = channel.recv(_READ_BYTES)
        except ConnectionError as gone:
            raise EOFError from gone
        if not read:
            raise EOFError
        data = self._begun + read
        whole = len(data) - len(data) % _STATUS.size
        self._begun = data[whole:]
        return Status(*_STATUS.unpack_from(data, whole - _STATUS.size)) if whole else None


def send_connection(channel: socket.socket, connection: socket.socket) -> None:
    """Sends a duplicate, without waiting; raises `OSError` when there is no room for it, or nobody at the other end."""
    socket.send_fds(channel, [_A_CONNECTION], [connection.fileno()])


def receive_connection(channel: socket.socket) -> socket.socket | None:
    """The next one, without waiting; None if it was lost on its way: this process may have no more descriptors.

    Raises:
        EOFError: when there will be no more.
        BlockingIOError: when there is none yet.
    """
    try:
        data, descriptors, _flags, _address = socket.recv_fds(channel, len(_A_CONNECTION), 1)
    except ConnectionError as gone:
        raise EOFError from gone
    if not data:
        raise EOFError
    if not descriptors:
        return None
    return open_socket(descriptors[0])


def open_socket(descriptor: int) -> socket.socket:
    """One that came from another process. It never waits, and what our tools start does not get it."""
    opened = socket.socket(fileno=descriptor)
    opened.setblocking(False)  # noqa: FBT003 - as the standard library has it
    opened.set_inheritable(False)
    return opened
