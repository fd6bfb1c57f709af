"""Sizes of mu-law audio."""

import base64
import json

import msgspec
import pytest

from worker.audio import payload_bytes


@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 159, 160, 161, 4000])
def test_payload_bytes(size: int) -> None:
    """The size is computed from the base64 string, with and without padding."""
    assert payload_bytes(msgspec.Raw(json.dumps(base64.b64encode(bytes(size)).decode()).encode())) == size
