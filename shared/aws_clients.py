"""AWS clients, one per service, made when first used.

boto3 takes 200 ms to import, which must not slow the cold start of a function that only answers TwiML.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, overload

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_ecs import ECSClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient

Service = Literal["dynamodb", "ecs", "sns", "sqs"]

# A caller is waiting. Two attempts of at most 1 s to connect and 2 s to answer, with up to 1 s of backoff between them,
# take 7 s at worst. Name resolution comes on top, so code with a deadline needs its own time limit.
CONNECT_TIMEOUT_S = 1
READ_TIMEOUT_S = 2
ATTEMPTS = 2

_clients: dict[str, Any] = {}
_making = threading.Lock()


@overload
def client(service: Literal["dynamodb"]) -> "DynamoDBClient": ...
@overload
def client(service: Literal["ecs"]) -> "ECSClient": ...
@overload
def client(service: Literal["sns"]) -> "SNSClient": ...
@overload
def client(service: Literal["sqs"]) -> "SQSClient": ...
def client(service: Service) -> Any:
    """The one client of a service, shared by all; clients may be used from many threads."""
    with _making:  # making one is not thread safe, using it is
        if service not in _clients:
            _clients[service] = _make(service)
        return _clients[service]


def _make(service: Service) -> Any:
    import boto3
    from botocore.config import Config

    # boto3 reads AWS_DEFAULT_REGION only. Lambda sets both; AWS_REGION is what every other SDK reads.
    region = os.environ.get("AWS_REGION")
    config = Config(
        connect_timeout=CONNECT_TIMEOUT_S,
        read_timeout=READ_TIMEOUT_S,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
    )
    return boto3.Session(region_name=region).client(service, config=config)


@contextmanager
def translate_errors(error: type[Exception], doing: str) -> Iterator[None]:
    """Turns the AWS SDK's exceptions inside of the block into `error`, whose message begins with `doing`."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError) as failure:
        raise error(f"{doing}: {failure}") from failure
