"""The simulated system in which things are broken: a stack with two workers whose connection to AWS can be cut."""

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
# A little faster than real time, so that the model is still sending a story when the fault hits.
PACE: Final = 1.5
ALERTED_WITHIN_S: Final = 60.0
# An alerts function that is killed holds its lease for the 20 s of its time limit. The queue gives an escalation up
# after five tries; these must last longer than the lease, as they do on AWS.
RETRY_S: Final = 6
_WARM_FUNCTIONS: Final = 4
_POLL_INTERVAL_S: Final = 0.1
_UNDER_WAY: Final = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
_AGENTS: Final = Path(__file__).with_name("agents")


@dataclass
class ChaosSystem:
    """The running parts, to phone and to break. Each caller has their own number."""

    simulation: Simulation
    line: Line
    functions: "LambdaClient"  # made once: creating a client blocks this event loop for some frames of every call
    sqs: "SQSClient"
    names: Iterator[str] = field(default_factory=lambda: (f"worker-{number}" for number in itertools.count(3)))
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def callers(self, count: int) -> list[ChaosCaller]:
        """New callers, of each kind in turn."""
        first = next(number for number in self.numbers if number % 4 == 0)
        return [ChaosCaller(number) for number in (first, *itertools.islice(self.numbers, count - 1))]

    async def phone(self, caller: ChaosCaller) -> None:
        """Makes a caller's call; an error is kept in its `complaint`."""
        try:
            caller.report = await self.simulation.twilio.call(
                caller, webhook=self.simulation.stack.webhook, from_=caller.phone, limit_s=180
            )
        except CallerGaveUpError as why:
            caller.complaint = str(why)
        finally:
            caller.ready.set()  # so that the scenario does not wait for a call that is over

    def sessions(self, caller: ChaosCaller) -> list[Session]:
        """The model's sessions of a caller's call, in order."""
        identifier = safety_identifier(SecretStr(self.simulation.stack.signing_key), caller.phone)
        return [each for each in self.simulation.model.sessions if identifier in each.headers.values()]

    def forget(self) -> None:
        """Drops the sessions that are over, whose audio would fill the memory."""
        self.simulation.model.sessions.clear()

    def alerts(self, caller: ChaosCaller) -> dict[str, int]:
        """How often each person on call was alerted about a caller."""
        messages = [message for message in self.simulation.twilio.messages if caller.phone in message.body]
        return {person: sum(message.to == person for message in messages) for person in ON_CALL}

    async def alerted(self, callers: Sequence[ChaosCaller]) -> None:
        """Waits, with a limit, until everybody on call has been alerted about each caller and the queue is empty."""
        try:
            async with asyncio.timeout(ALERTED_WITHIN_S):
                while not self._all_told(callers) or await self._under_way():  # noqa: ASYNC110 - a queue has no event
                    await asyncio.sleep(_POLL_INTERVAL_S)
        except TimeoutError:
            return  # the table shows what is missing

    def _all_told(self, callers: Sequence[ChaosCaller]) -> bool:
        return all(all(self.alerts(caller).values()) for caller in callers)

    async def _under_way(self) -> bool:
        url = self.simulation.stack.deployment.queue_url
        answer = await asyncio.to_thread(self.sqs.get_queue_attributes, QueueUrl=url, AttributeNames=list(_UNDER_WAY))
        return any(int(answer["Attributes"][name]) for name in _UNDER_WAY)

    async def two_workers(self) -> None:
        """Starts workers until there are two."""
        workers = self.simulation.stack.workers
        while len(workers.names) < 2:
            await workers.start(next(self.names))

    async def warm_up(self) -> None:
        """Starts as many copies of the voice function as the front door lets through at once."""
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
    """Speech for <Say> that is short, so that no call waits for a whole apology."""
    return silence(200)


@asynccontextmanager
async def system(logs: Path) -> AsyncIterator[ChaosSystem]:
    """Everything running: both workers and the functions."""
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
