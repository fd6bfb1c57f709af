"""One stack for all whole-path tests of a session, and its interface for the tests."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import pytest
import pytest_asyncio

from local.audio.pitch import Pitches
from local.audio.speech import tone
from local.model import Brain, Scripted, Session, SimulatedModel
from local.model.brain import Output
from local.stack.simulation import NUMBER, Simulation, simulation
from local.stack.stack import Choices
from local.twilio import CallReport, Person
from local.twilio.person import Act, HangUp
from shared.calls.ending import CallEnd
from shared.calls.store import CallStore
from shared.escalations.request import Escalation
from shared.escalations.store import EscalationStore

AGENTS = Path(__file__).parent / "agents"
RETRY_S = 2
TWILIO_HZ = 200
PATIENCE_S = 60.0


class FakeModels:
    """Gives each new session of the model its brain, which a test sets before its call."""

    def __init__(self) -> None:
        self.makes: Callable[[], Brain] = Scripted

    def __call__(self) -> Brain:
        return self.makes()


def escalation(**fields: object) -> Escalation:
    """An escalation as the worker sends it; `fields` override the defaults."""
    call_sid = f"CA{uuid4().hex}"
    known: dict[str, object] = {
        "escalation_id": f"{call_sid}-1",
        "call_sid": call_sid,
        "caller": "+15551234567",
        "called": NUMBER,
        "reason": "lost key",
        "summary": "Cannot get in.",
        "urgency": "normal",
        "transcript": [],
        "language": "en",
        "created_at": datetime.now(UTC),
    }
    return Escalation.model_validate(known | fields)


@dataclass
class System:
    """A running stack with its simulated services, and access to what calls left in them."""

    surroundings: Simulation
    models: FakeModels

    def script(self, *responses: Output | Sequence[Output]) -> Scripted:
        """Makes the model of the next call answer with these responses, in order."""
        scripted = Scripted(*responses)
        self.models.makes = lambda: scripted
        return scripted

    async def call(self, *acts: Act, **options: Any) -> CallReport:
        """Makes a call whose caller performs these acts in order; returns the report when it is over."""
        async with asyncio.timeout(PATIENCE_S * 2):
            return await self.surroundings.twilio.call(
                Person(*acts), webhook=self.surroundings.stack.webhook, **options
            )

    @property
    def session(self) -> Session:
        """The model's session of the last call."""
        return self.surroundings.model.sessions[-1]

    @property
    def alerts(self) -> list[tuple[str, str]]:
        """The SMS alerts as (recipient, text)."""
        return [(message.to, message.body) for message in self.surroundings.twilio.messages]

    async def alerted(self, count: int = 2) -> list[tuple[str, str]]:
        """Waits for `count` alerts, by default one for each of the two people on call, and returns them."""
        await self.surroundings.twilio.wait_for_messages(count, PATIENCE_S)
        return self.alerts

    def how_it_ended(self, report: CallReport) -> CallEnd | None:
        """The call's end as recorded by the worker."""
        return CallStore(self.surroundings.stack.deployment.table_name, self._aws("dynamodb")).how_it_ended(
            report.call_sid
        )

    def kept(self, report: CallReport) -> dict[str, Any] | None:
        """The escalation of a call as stored by the alerts function; None if there is none."""
        found = self.escalations.get(f"{report.call_sid}-1")
        return json.loads(found.escalation.to_json()) if found else None

    @property
    def escalations(self) -> EscalationStore:
        """The escalation records in the table, to read, or to change as the desk would."""
        return EscalationStore(self.surroundings.stack.deployment.table_name, self._aws("dynamodb"))

    def enqueue(self, body: str) -> None:
        """Puts any message into the queue of escalations."""
        self._aws("sqs").send_message(QueueUrl=self.surroundings.stack.deployment.queue_url, MessageBody=body)

    async def dead_letter(self) -> str:
        """Takes the next message from the dead-letter queue."""
        sqs, url = self._aws("sqs"), self.surroundings.stack.deployment.dead_letter_queue_url
        messages: list[Any] = []
        async with asyncio.timeout(PATIENCE_S):
            while not messages:  # a cold start may take longer than one long poll
                answer = await asyncio.to_thread(sqs.receive_message, QueueUrl=url, WaitTimeSeconds=20)
                messages = answer.get("Messages", [])
        [message] = messages
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return str(message["Body"])

    async def drained(self) -> None:
        """Waits until the queue of escalations is empty and no message is being processed."""
        async with asyncio.timeout(PATIENCE_S):
            while self._waiting():
                await asyncio.sleep(0.1)

    def _waiting(self) -> int:
        names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
        url = self.surroundings.stack.deployment.queue_url
        attributes = self._aws("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=list(names))["Attributes"]
        return sum(int(attributes[name]) for name in names)

    def _aws(self, service: str) -> Any:
        return boto3.client(service, **self.surroundings.stack.emulator.connection)  # type: ignore[call-overload] # a plain str


def _in_a_word(_text: str, _language: str) -> bytes:
    """A short tone as Twilio's speech, so that no test waits for a whole apology; no caller uses its pitch."""
    return tone(200, hz=TWILIO_HZ)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared_system(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    """The stack and its simulated services, functions warmed up. Retries take seconds instead of minutes."""
    models = FakeModels()
    model = SimulatedModel(brain=models, recogniser=Pitches())
    choices = Choices(worker_environ={"AGENTS_DIR": str(AGENTS), "DRAIN_S": "0"})
    async with simulation(
        model, tmp_path_factory.mktemp("logs"), choices=choices, speak=_in_a_word, webhook_limit_s=60
    ) as surroundings:
        system = System(surroundings, models)
        await system.call(HangUp())
        system.enqueue(escalation().to_json())
        await system.alerted()
        _spare_two_processors(system)
        yield system


def _spare_two_processors(system: System) -> None:
    deployment = system.surroundings.stack.deployment
    retry = {"VisibilityTimeout": str(RETRY_S)}
    system._aws("sqs").set_queue_attributes(QueueUrl=deployment.queue_url, Attributes=retry)
    for event in ("AlertsFunctionEscalations", "AlertsFunctionReminders"):
        mapping = deployment.physical(event)
        system._aws("lambda").update_event_source_mapping(UUID=mapping, ScalingConfig={"MaximumConcurrency": 2})


@pytest.fixture
def system(shared_system: System) -> System:
    """The shared stack, with the leftovers of earlier tests removed."""
    deployment = shared_system.surroundings.stack.deployment
    for queue_url in (deployment.queue_url, deployment.reminder_queue_url, deployment.dead_letter_queue_url):
        shared_system._aws("sqs").purge_queue(QueueUrl=queue_url)
    shared_system.surroundings.twilio.messages.clear()
    shared_system.surroundings.model.sessions.clear()
    shared_system.models.makes = Scripted
    return shared_system
