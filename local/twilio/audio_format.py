"""The one audio format of a phone call: mu-law, 8 kHz, mono, in frames of 20 ms."""

BYTES_PER_MS = 8
FRAME_MS = 20
FRAME_BYTES = FRAME_MS * BYTES_PER_MS
SILENCE = b"\xff"  # zero amplitude in mu-law
SILENT_FRAME = SILENCE * FRAME_BYTES


def milliseconds(size: int) -> float:
    """How long `size` bytes of mu-law sound, in ms."""
    return size / BYTES_PER_MS


def silence(duration_ms: float) -> bytes:
    """Silence of `duration_ms`, in mu-law."""
    return SILENCE * round(duration_ms * BYTES_PER_MS)
