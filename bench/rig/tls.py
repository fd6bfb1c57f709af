"""TLS for the model's end, straight on the library's own buffers: asyncio's way costs the rig several times as much."""

import ssl


class Tls:
    """The server's side of one connection. What is to be sent, at any time, is in `outgoing`."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._object = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._is_open = False

    def receive(self, data: bytes) -> bytes:
        """What has arrived, in clear text: nothing while hands are still being shaken."""
        self._incoming.write(data)
        if not self._is_open and not self._on_handshake():
            return b""
        text = b""
        while self._incoming.pending or self._object.pending():
            try:
                text += self._object.read(len(data) + 1)
            except ssl.SSLWantReadError:  # the rest of a record is still on its way
                break
            except ssl.SSLZeroReturnError:  # the other end will say no more
                break
        return text

    def send(self, text: bytes) -> bytes:
        """The same as it goes on the wire."""
        self._object.write(text)
        return self._outgoing.read()

    def outgoing(self) -> bytes:
        """What the handshake itself wants to say."""
        return self._outgoing.read()

    def _on_handshake(self) -> bool:
        try:
            self._object.do_handshake()
        except ssl.SSLWantReadError:
            return False
        self._is_open = True
        return True
