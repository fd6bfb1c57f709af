"""Idempotency: each alert goes to each place once, however often the queue delivers its escalation.

A thin layer over Powertools' idempotency, in the shared table. It stores each alert by itself, not the message as a
whole. So a crash half-way repeats at most the alert that was being sent, and a later delivery alerts a person whom an
earlier one could not reach.
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

# As long as the dead-letter queue keeps a message, from which it can be delivered again.
REMEMBERED_S = 14 * 24 * 60 * 60
KEY_PREFIX = "alert"


class SendOnce:
    """Sends each alert once, and keeps in a table which were sent.

    Make one per process, since it registers itself with the client.
    """

    def __init__(self, table_name: str, client: "DynamoDBClient") -> None:
        self._records = DynamoDBPersistenceLayer(
            table_name,
            key_attr="pk",
            sort_key_attr="sk",
            static_pk_value="alerts",
            expiry_attr="expires_at",
            boto3_client=client,
        )
        # Keys hold phone numbers, so the table gets only their hashes. MD5, the default, is refused on some systems.
        self._config = IdempotencyConfig(expires_after_seconds=REMEMBERED_S, hash_function="sha256")
        # Done here, because the first of several threads would do it otherwise and the others would not wait for it.
        self._records.configure(self._config, key_prefix=KEY_PREFIX)

    def begin(self, context: Any) -> None:
        """Takes the Lambda context of a new invocation. If it dies, others may send its alerts once its time is up."""
        self._config.register_lambda_context(context)

    def __call__(self, key: list[str], send: Callable[[], str]) -> str:
        """Returns what `send` returned, now or earlier for the same key. May be called from many threads.

        Raises:
            AlertNotAccepted: from `send`, which may then be tried again. Also when another invocation is sending this
                alert, or when the table does not answer.
        """
        accepted: list[str] = []

        def send_and_keep_id(*, key: list[str]) -> str:
            accepted.append(send())
            return accepted[0]

        send_once = idempotent_function(
            send_and_keep_id,
            data_keyword_argument="key",
            persistence_store=self._records,
            config=self._config,
            key_prefix=KEY_PREFIX,
        )
        try:
            return str(send_once(key=key))
        except BaseError as failure:
            if accepted:
                # It was sent, but the table does not know. To fail now would send it again.
                log.exception("an alert was sent but not recorded, and may be sent again")
                return accepted[0]
            raise AlertNotAccepted(f"not sent: {type(failure).__name__}") from failure
