"""Clients of AWS, one a service, made when first asked for.

boto3 takes a fifth of a second to import, which a function that only answers TwiML should not pay at its start.
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

# A caller is waiting. Two attempts of at most 1 s to connect and 2 s to answer, and up to 1 s of back-off in between,
# are 7 s at worst. Slow name resolution is not in that, so whoever must answer in time sets a limit of their own.
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
    """The client of a service, the same one for every caller; clients may be used from many threads."""
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
    """Turns whatever the AWS SDK raises inside of the block into `error`, which says what was being done."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError) as failure:
        raise error(f"{doing}: {failure}") from failure
