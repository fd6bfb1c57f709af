"""Reads the roster from the table, where its TOML text is stored, or else from the settings."""

import time
from typing import TYPE_CHECKING

from shared.aws_clients import translate_errors
from shared.calls.store import StoreUnavailable
from shared.logs import logger, metric
from shared.on_call.roster import Roster, RosterError
from shared.on_call.settings import OnCallSettings

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

# The roster is cached for this long, so that most alerts need no read. A new roster may take as long to count.
READ_EVERY_S = 30.0

KEY: "dict[str, AttributeValueTypeDef]" = {"pk": {"S": "on-call"}, "sk": {"S": "roster"}}


class NobodyOnCall(Exception):
    """There is no roster, and the settings name nobody."""


class RosterStore:
    """The roster in one table. Blocking; may be used from many threads.

    Args:
        service: the part that reads it, for its log and metrics.
    """

    def __init__(self, table_name: str, client: "DynamoDBClient", service: str) -> None:
        self._table_name = table_name
        self._client = client
        self._service = service
        self._read: tuple[float, Roster | None] | None = None

    def roster(self, settings: OnCallSettings) -> Roster:
        """The roster, at most 30 s old, with the settings' topic in its first tier.

        Raises:
            NobodyOnCall: when there is no roster, and the settings name nobody.
            RosterError: when the one in the table cannot be used, and the settings name nobody.
            StoreUnavailable: when DynamoDB does not answer.
        """
        written = self._written(settings)
        if written is not None:
            return written.with_topic(settings.alert_topic_arn) if settings.alert_topic_arn else written
        if roster := _from(settings):
            return roster
        raise NobodyOnCall("there is no roster, and neither ON_CALL_NUMBERS nor ALERT_TOPIC_ARN is set")

    def text(self) -> str | None:
        """The roster's text in the table, or None. Raises StoreUnavailable."""
        with translate_errors(StoreUnavailable, "reading the roster"):
            item = self._client.get_item(TableName=self._table_name, Key=KEY, ConsistentRead=True).get("Item")
        return item["body"]["S"] if item else None

    def write(self, text: str) -> Roster:
        """Replaces the roster in the table, and returns the new one.

        Raises:
            RosterError: when the text is not a valid roster; the previous one stays.
            StoreUnavailable: when DynamoDB fails.
        """
        roster = Roster.parse(text)
        with translate_errors(StoreUnavailable, "writing the roster"):
            self._client.put_item(TableName=self._table_name, Item={**KEY, "body": {"S": text}})
        self._read = None
        return roster

    def _written(self, settings: OnCallSettings) -> Roster | None:
        if self._read is None or time.monotonic() - self._read[0] > READ_EVERY_S:
            text = self.text()
            self._read = (time.monotonic(), self._parsed(text, settings) if text else None)
        return self._read[1]

    def _parsed(self, text: str, settings: OnCallSettings) -> Roster | None:
        try:
            return Roster.parse(text)
        except RosterError:
            # `write` checks it, so another version of Bellhop wrote it, or it was changed in the table directly.
            metric(self._service, "InvalidRosters")
            if _from(settings) is None:
                raise
            logger(self._service).exception("the roster cannot be used; the people in the settings are alerted instead")
            return None


def _from(settings: OnCallSettings) -> Roster | None:
    return Roster.of_settings(settings.on_call_numbers, settings.alert_topic_arn)
