"""Idempotency: each alert goes to each place one time, however often the queue delivers its escalation.

A thin layer over Powertools' idempotency, in the table that everything shares. It remembers each alert by itself, not
the message as a whole: so a crash half-way repeats at most the one alert that was under way, and a later delivery makes
good for a person whom an earlier one could not reach.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)
from aws_lambda_powertools.utilities.idempotency.exceptions import BaseError

from functions.alerts.channels import AlertNotAccepted
from shared.logs import logger

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

log = logger("alerts")

# A message can come back from the dead-letter queue for as long as that keeps it.
REMEMBERED_S = 14 * 24 * 60 * 60
KEY_PREFIX = "alert"


class SendOnce:
    """What has been done is kept in a table; make one a process, since it leaves its mark on the client."""

    def __init__(self, table_name: str, client: "DynamoDBClient") -> None:
        self._records = DynamoDBPersistenceLayer(
            table_name,
            key_attr="pk",
            sort_key_attr="sk",
            static_pk_value="alerts",
            expiry_attr="expires_at",
            boto3_client=client,
        )
        # The keys hold phone numbers, so the table gets their hashes. MD5, the default, is refused on some systems.
        self._config = IdempotencyConfig(expires_after_seconds=REMEMBERED_S, hash_function="sha256")
        # Otherwise the first of several threads would do this, and the next ones would not wait until it has.
        self._records.configure(self._config, key_prefix=KEY_PREFIX)

    def begin(self, context: Any) -> None:
        """Takes the Lambda context of a new invocation. If that dies half-way, others may try when its time is up."""
        self._config.register_lambda_context(context)

    def __call__(self, key: list[str], send: Callable[[], str]) -> str:
        """What `send` returned, now or at an earlier time for the same key. May be called from many threads.

        Raises:
            AlertNotAccepted: from `send`, which may then be tried again; or because another invocation is at it, or
                because the table does not answer.
        """
        accepted: list[str] = []

        def send_and_note(*, key: list[str]) -> str:
            accepted.append(send())
            return accepted[0]

        send_once = idempotent_function(
            send_and_note,
            data_keyword_argument="key",
            persistence_store=self._records,
            config=self._config,
            key_prefix=KEY_PREFIX,
        )
        try:
            return str(send_once(key=key))
        except BaseError as failure:
            if accepted:
                # It is on its way; only the note about it was lost. To fail now would be to send it again.
                log.exception("an alert went out, and may go out again")
                return accepted[0]
            raise AlertNotAccepted(f"not tried: {type(failure).__name__}") from failure
