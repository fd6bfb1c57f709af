"""The socket between the front and a process."""

import socket
from collections.abc import Iterator
from contextlib import suppress

import pytest

from worker.processes.channel import Status, Statuses, receive_connection, send_connection

Ends = tuple[socket.socket, socket.socket]
BUSY = Status(taken=70_000, open=300, calls=200, takes_calls=True)


@pytest.fixture
def ends() -> Iterator[Ends]:
    """Both of them; neither waits."""
    one, other = socket.socketpair()
    with one, other:
        one.setblocking(False)
        other.setblocking(False)
        yield one, other


def test_statuses(ends: Ends) -> None:
    """Of several only the newest counts; what has come in pieces is put together."""
    front, process = ends
    statuses = Statuses()
    first, second = BUSY._replace(calls=199).pack(), BUSY.pack()
    process.send(first + second[:5])
    assert statuses.newest(front) == BUSY._replace(calls=199)
    process.send(second[5:7])
    assert statuses.newest(front) is None
    process.send(second[7:])
    assert statuses.newest(front) == BUSY
    with pytest.raises(BlockingIOError):
        statuses.newest(front)


def test_process_gone(ends: Ends) -> None:
    """Whether or not it had read everything."""
    front, process = ends
    with socket.socket() as connection:
        send_connection(front, connection)
    process.close()
    with pytest.raises(EOFError):
        Statuses().newest(front)


@pytest.mark.parametrize("unread", [b"", BUSY.pack()])
def test_front_gone(ends: Ends, unread: bytes) -> None:
    """The same the other way."""
    front, process = ends
    process.send(unread)
    front.close()
    with pytest.raises(EOFError):
        receive_connection(process)


def test_connections(ends: Ends) -> None:
    """They arrive one by one, open and of this process alone; the sender's own may be closed at once."""
    front, process = ends
    here, there = socket.socketpair()
    with here:
        with there:
            send_connection(front, there)
            send_connection(front, there)
        for _ in range(2):
            received = receive_connection(process)
            assert received is not None
            with received:
                assert not received.getblocking()
                assert not received.get_inheritable()
                received.send(b"x")
                assert here.recv(1) == b"x"
        with pytest.raises(BlockingIOError):
            receive_connection(process)
        assert here.recv(1) == b""


def test_connection_lost(ends: Ends) -> None:
    """The kernel drops a descriptor for which the receiver has no room; that it came is known."""
    front, process = ends
    front.send(b"c")
    assert receive_connection(process) is None


def test_no_room(ends: Ends) -> None:
    """What nobody takes is refused at last, and nobody waits."""
    front, _process = ends
    with socket.socket() as connection, suppress(BlockingIOError):
        for _ in range(100_000):
            send_connection(front, connection)
        pytest.fail("there is no end to it")
