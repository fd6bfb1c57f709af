"""TLS for the model's end, directly on the ssl library's buffers: asyncio's TLS takes several times as much CPU."""

import ssl


class Tls:
    """The server's side of one connection. Send the bytes in `outgoing` after each `receive`."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._object = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._is_open = False

    def receive(self, data: bytes) -> bytes:
        """Decrypts received bytes; returns nothing during the handshake."""
        self._incoming.write(data)
        if not self._is_open and not self._on_handshake():
            return b""
        text = b""
        while self._incoming.pending or self._object.pending():
            try:
                text += self._object.read(len(data) + 1)
            except ssl.SSLWantReadError:  # the rest of a record has not arrived yet
                break
            except ssl.SSLZeroReturnError:  # the other end has closed its side
                break
        return text

    def send(self, text: bytes) -> bytes:
        """Encrypts bytes to send."""
        self._object.write(text)
        return self._outgoing.read()

    def outgoing(self) -> bytes:
        """The handshake's bytes to send."""
        return self._outgoing.read()

    def _on_handshake(self) -> bool:
        try:
            self._object.do_handshake()
        except ssl.SSLWantReadError:
            return False
        self._is_open = True
        return True
