"""Sizes of a call's audio: mu-law, 8 kHz, one channel. Twilio and the Realtime API both send and accept it.

One sample is one byte. On both sockets the audio is a base64 string in a JSON message; it is never decoded here.
"""

from typing import Final

import msgspec

BYTES_PER_MS: Final = 8
FRAME_MS: Final = 20  # audio in each of Twilio's media messages


def payload_bytes(payload: msgspec.Raw) -> int:
    """The bytes of mu-law in a payload (8 bytes are 1 ms), computed from the length of its base64 string."""
    text = memoryview(payload)
    characters = len(text) - 2
    padding = (text[-2] == 0x3D) + (text[-3] == 0x3D) if characters >= 2 else 0
    return characters * 3 // 4 - padding
