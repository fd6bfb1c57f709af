"""A short, soft tone for a caller who would otherwise hear silence; it needs no language."""

from base64 import b64encode
from pathlib import Path
from typing import Final

import msgspec

# 0.4 s of mu-law at 8 kHz: 440 Hz under a raised cosine, at a tenth of full scale.
HOLD_TONE: Final = msgspec.Raw(b'"%b"' % b64encode(Path(__file__).with_name("hold_tone.ulaw").read_bytes()))
