"""A call on real sockets whose greeting has been heard."""

from base64 import b64decode
from typing import Any

from local.model import Say
from tests.worker.conftest import CALL_SID, Phone

GREETING = Say("Hello!", ms=400)


def played_ms(media: list[dict[str, Any]]) -> int:
    return sum(len(b64decode(message["media"]["payload"])) // 8 for message in media)


async def greeted(phone: Phone, call_sid: str = CALL_SID, **parameters: str) -> None:
    """Starts the stream, and waits until the greeting has arrived and is played."""
    await phone.start(call_sid=call_sid, **parameters)
    await phone.wait(lambda: played_ms(phone.of("media")) == GREETING.ms)
    await phone.wait_for("mark", 3)
    await phone.hear_all()
