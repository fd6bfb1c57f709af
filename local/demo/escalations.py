"""The table of the demo's stack: who is on call, and what becomes of the escalation."""

import asyncio
from typing import Final

import boto3

from local.stack import Stack
from shared.escalation import escalation_id_for
from shared.escalation_life import Life
from shared.escalation_store import EscalationStore
from shared.roster_store import RosterStore

_LOOK_EVERY_S: Final = 0.2
_RESOLVED_WITHIN_S: Final = 30.0


class Escalations:
    """Reads and writes as the functions do, with the emulator's own rights."""

    def __init__(self, stack: Stack) -> None:
        self._table = stack.deployment.table_name
        self._dynamodb = boto3.client("dynamodb", **stack.emulator.connection)

    def put_on_call(self, roster: str) -> None:
        """Keeps a roster, as `make on-call` does."""
        RosterStore(self._table, self._dynamodb, "demo").write(roster)

    async def resolved(self, call_sid: str) -> Life:
        """The call's escalation once nothing is left to be done about it, or as it is after half a minute."""
        store = EscalationStore(self._table, self._dynamodb)
        deadline = asyncio.get_running_loop().time() + _RESOLVED_WITHIN_S
        while True:
            life = await asyncio.to_thread(store.get, escalation_id_for(call_sid))
            late = asyncio.get_running_loop().time() > deadline
            if life is not None and (late or not life.open):
                return life
            if late:
                raise TimeoutError("the escalation was never kept")
            await asyncio.sleep(_LOOK_EVERY_S)
