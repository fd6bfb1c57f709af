"""The AWS SDK can write to the rig's DynamoDB stand-in."""

import asyncio
from typing import TYPE_CHECKING

import boto3

from bench.report.table import table
from bench.rig.gauges import Gauges
from local.stack.process import HOST, free_port
from shared.calls.ending import CallEnd
from shared.calls.store import CallStore

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def _client(port: int) -> "DynamoDBClient":
    return boto3.client(
        "dynamodb",
        endpoint_url=f"http://{HOST}:{port}",
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


async def test_the_workers_writes_are_accepted_and_counted() -> None:
    """Several on the same connection, among them a large one in pieces."""
    gauges, port = Gauges(recording=True), free_port()

    def write() -> None:
        store = CallStore("bench", _client(port))
        store.claim_stream("CA1", "token", caller="+15550000001", called="+15550000002")
        store.record_end("CA1", CallEnd.FAILED, {"reason": "x" * 500_000})
        store.record_end("CA1", CallEnd.CALLER_HUNG_UP)

    async with table(gauges, port), asyncio.timeout(20):
        await asyncio.to_thread(write)
    assert gauges.writes == 3


async def test_a_request_ends_where_its_head_says() -> None:
    """Not at a blank line in its body."""
    gauges, port = Gauges(recording=True), free_port()
    request = b"POST / HTTP/1.1\r\nContent-Length: 8\r\n\r\n" + b"\r\n" * 4
    async with table(gauges, port), asyncio.timeout(20):
        reader, writer = await asyncio.open_connection(HOST, port)
        writer.write(request * 2)
        writer.write_eof()
        answers = await reader.read()
        writer.close()
    assert answers.count(b"200 OK") == gauges.writes == 2
