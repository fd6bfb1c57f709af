"""The simulated world in which things are broken: a stack with two workers whose line to AWS can be cut."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import boto3
from pydantic import SecretStr

from local.audio.pitch import Pitches
from local.audio.speech import silence
from local.chaos.agent import Agent
from local.chaos.caller import ChaosCaller
from local.chaos.cut import Line
from local.model import Session, SimulatedModel
from local.stack.simulation import ON_CALL, Simulation, simulation
from local.stack.stack import Choices
from local.twilio import CallerGaveUpError, Person
from local.twilio.person import HangUp
from worker.engines.realtime.connection import safety_identifier

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_sqs import SQSClient

DRAIN_S: Final = 1
# A little faster than real time, so that a story is still being made when it is broken off.
PACE: Final = 1.5
ALERTED_WITHIN_S: Final = 60.0
# An alerts function that was stopped in the middle leaves a lock behind for the 20 s of its time limit. The queue gives
# an escalation up after five tries, and those must outlast the lock, as they do on AWS.
RETRY_S: Final = 6
_WARM_FUNCTIONS: Final = 4
_POLL_INTERVAL_S: Final = 0.1
_UNDER_WAY: Final = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
_AGENTS: Final = Path(__file__).with_name("agents")


@dataclass
class ChaosSystem:
    """What can be phoned and what can be broken. Each caller has a number of their own."""

    simulation: Simulation
    line: Line
    functions: "LambdaClient"  # both are made once: making one takes some frames of every call on this event loop
    sqs: "SQSClient"
    names: Iterator[str] = field(default_factory=lambda: (f"worker-{number}" for number in itertools.count(3)))
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def guests(self, count: int) -> list[ChaosCaller]:
        """New callers, of all kinds in turn."""
        first = next(number for number in self.numbers if number % 4 == 0)
        return [ChaosCaller(number) for number in (first, *itertools.islice(self.numbers, count - 1))]

    async def phone(self, guest: ChaosCaller) -> None:
        """Lives through a guest's call; what they had to complain of is kept with them."""
        try:
            guest.report = await self.simulation.twilio.call(
                guest, webhook=self.simulation.stack.webhook, from_=guest.phone, limit_s=180
            )
        except CallerGaveUpError as why:
            guest.complaint = str(why)
        finally:
            guest.ready.set()  # nobody waits for a caller whose call is over

    def sessions(self, guest: ChaosCaller) -> list[Session]:
        """The model's sessions of a guest's call, in order."""
        identifier = safety_identifier(SecretStr(self.simulation.stack.signing_key), guest.phone)
        return [each for each in self.simulation.model.sessions if identifier in each.headers.values()]

    def forget(self) -> None:
        """Lets go of the sessions that are over, whose audio would fill the memory in time."""
        self.simulation.model.sessions.clear()

    def alerts(self, guest: ChaosCaller) -> dict[str, int]:
        """How often each of the people on call was told of a guest."""
        messages = [message for message in self.simulation.twilio.messages if guest.phone in message.body]
        return {person: sum(message.to == person for message in messages) for person in ON_CALL}

    async def alerted(self, guests: Sequence[ChaosCaller]) -> None:
        """Waits until everybody on call has been told of each guest, but not for ever, and nothing is under way."""
        try:
            async with asyncio.timeout(ALERTED_WITHIN_S):
                while not self._all_told(guests) or await self._under_way():  # noqa: ASYNC110 - a queue has no event
                    await asyncio.sleep(_POLL_INTERVAL_S)
        except TimeoutError:
            return  # the table will say who was forgotten

    def _all_told(self, guests: Sequence[ChaosCaller]) -> bool:
        return all(all(self.alerts(guest).values()) for guest in guests)

    async def _under_way(self) -> bool:
        url = self.simulation.stack.deployment.queue_url
        answer = await asyncio.to_thread(self.sqs.get_queue_attributes, QueueUrl=url, AttributeNames=list(_UNDER_WAY))
        return any(int(answer["Attributes"][name]) for name in _UNDER_WAY)

    async def two_workers(self) -> None:
        """Makes good for those that are gone."""
        workers = self.simulation.stack.workers
        while len(workers.names) < 2:
            await workers.start(next(self.names))

    async def warm_up(self) -> None:
        """Has as many copies of the voice function started as the front door lets requests through at once."""
        twilio, webhook = self.simulation.twilio, self.simulation.stack.webhook
        await asyncio.gather(*(twilio.call(Person(HangUp()), webhook=webhook) for _ in range(_WARM_FUNCTIONS)))
        deployment = self.simulation.stack.deployment
        mapping = deployment.physical("AlertsFunctionEscalations")
        await asyncio.to_thread(
            self.functions.update_event_source_mapping, UUID=mapping, ScalingConfig={"MaximumConcurrency": 2}
        )
        await asyncio.to_thread(
            self.sqs.set_queue_attributes,
            QueueUrl=deployment.queue_url,
            Attributes={"VisibilityTimeout": str(RETRY_S)},
        )


def _in_a_word(_text: str, _language: str) -> bytes:
    """How Twilio speaks here: nobody waits for a whole apology."""
    return silence(200)


@asynccontextmanager
async def system(logs: Path) -> AsyncIterator[ChaosSystem]:
    """Everything up, both workers and the functions."""
    async with Line() as line:
        choices = Choices(
            worker_environ={"AGENTS_DIR": str(_AGENTS), "DRAIN_S": str(DRAIN_S), "AWS_ENDPOINT_URL": line.url}
        )
        model = SimulatedModel(brain=Agent, recogniser=Pitches(), pace=PACE)
        simulated = simulation(model, logs, choices=choices, speak=_in_a_word, webhook_limit_s=60)
        async with simulated as parts:
            line.leads_to = parts.stack.emulator.port
            connection = parts.stack.emulator.connection
            made = ChaosSystem(parts, line, boto3.client("lambda", **connection), boto3.client("sqs", **connection))
            await made.two_workers()
            await made.warm_up()
            yield made
