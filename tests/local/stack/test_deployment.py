"""template.yaml deployed in the emulator: every value comes from the template."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import httpx
import pytest
from botocore.exceptions import ClientError
from pydantic import SecretStr

from local.stack import template
from local.stack.deployment import Deployment, deploy
from local.stack.emulator import Emulator
from shared.escalations.store import OPEN_INDEX, EscalationStore
from shared.on_call.link import sign
from tests.escalations import escalation

SECRETS = {
    "TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
    "TWILIO_AUTH_TOKEN": "token",
    "SIGNING_KEY": "key",
    "OPENAI_API_KEY": "sk-test",
}


@pytest.fixture(scope="module")
def own_emulator() -> Iterator[Emulator]:
    """A separate emulator for this module: the stack has a fixed name, which other tests may deploy too."""
    with Emulator(permissions=True) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def deployment(own_emulator: Emulator) -> Deployment:
    """The deployed stack."""
    return deploy(
        own_emulator.connection,
        secrets=SECRETS,
        parameters={"OnCallNumbers": "+15550001111", "AlertFrom": "+15550100200", "MaxCallsPerTask": "30"},
        environment=template.Environment(replaced={"STREAM_URL": "ws://127.0.0.1:1/media-stream"}),
    )


@pytest.fixture(scope="module")
def resources() -> dict[str, Any]:
    """The resources in the template."""
    return {name: resource.get("Properties", {}) for name, resource in template.read()["Resources"].items()}


def test_the_queue_is_the_templates(own_emulator: Emulator, deployment: Deployment, resources: dict[str, Any]) -> None:
    """Visibility timeout, retention and dead-letter queue."""
    sqs = boto3.client("sqs", **own_emulator.connection)
    queue = sqs.get_queue_attributes(QueueUrl=deployment.queue_url, AttributeNames=["All"])["Attributes"]
    dead = sqs.get_queue_attributes(QueueUrl=deployment.dead_letter_queue_url, AttributeNames=["All"])["Attributes"]
    wanted = resources["EscalationQueue"]
    assert queue["VisibilityTimeout"] == str(wanted["VisibilityTimeout"])
    assert queue["MessageRetentionPeriod"] == str(wanted["MessageRetentionPeriod"])
    assert json.loads(queue["RedrivePolicy"]) == {
        "deadLetterTargetArn": dead["QueueArn"],
        "maxReceiveCount": wanted["RedrivePolicy"]["maxReceiveCount"],
    }


def test_the_table_is_the_templates_with_its_time_to_live(
    own_emulator: Emulator, deployment: Deployment, resources: dict[str, Any]
) -> None:
    """Keys and index are set by CloudFormation, expiry by API, all from the template."""
    dynamodb = boto3.client("dynamodb", **own_emulator.connection)
    table = dynamodb.describe_table(TableName=deployment.table_name)["Table"]
    assert table["KeySchema"] == resources["Table"]["KeySchema"]
    [index] = table["GlobalSecondaryIndexes"]
    [wanted] = resources["Table"]["GlobalSecondaryIndexes"]
    assert (index["IndexName"], index["KeySchema"]) == (wanted["IndexName"], wanted["KeySchema"])
    assert wanted["IndexName"] == OPEN_INDEX
    expiry = dynamodb.describe_time_to_live(TableName=deployment.table_name)["TimeToLiveDescription"]
    assert expiry["AttributeName"] == resources["Table"]["TimeToLiveSpecification"]["AttributeName"]
    assert expiry["TimeToLiveStatus"] == "ENABLED"


@pytest.mark.parametrize(("event", "queue"), [("Escalations", "EscalationQueue"), ("Reminders", "ReminderQueue")])
def test_the_alerts_function_reads_its_queues_as_the_template_says(
    own_emulator: Emulator, deployment: Deployment, resources: dict[str, Any], event: str, queue: str
) -> None:
    """Batch size and partial failures come from the template's events."""
    mappings = boto3.client("lambda", **own_emulator.connection).list_event_source_mappings()["EventSourceMappings"]
    name = deployment.physical(queue).rpartition("/")[2]
    [mapping] = [one for one in mappings if one["EventSourceArn"].endswith(f":{name}")]
    source = resources["AlertsFunction"]["Events"][event]["Properties"]
    assert mapping["BatchSize"] == source["BatchSize"]
    assert mapping["FunctionResponseTypes"] == source["FunctionResponseTypes"]
    assert mapping["FunctionArn"].endswith(deployment.physical("AlertsFunction"))
    assert len(mappings) == len(resources["AlertsFunction"]["Events"])


def test_functions_get_the_templates_environment(own_emulator: Emulator, deployment: Deployment) -> None:
    """References and secrets are resolved; only what was overridden differs."""
    lambda_ = boto3.client("lambda", **own_emulator.connection)
    configuration = lambda_.get_function_configuration(FunctionName=deployment.physical("VoiceFunction"))
    variables = configuration["Environment"]["Variables"]
    assert variables["TABLE_NAME"] == deployment.table_name
    assert variables["ESCALATION_QUEUE_URL"] == deployment.queue_url
    assert variables["TWILIO_AUTH_TOKEN"] == "token"
    assert variables["STREAM_URL"] == "ws://127.0.0.1:1/media-stream"


def test_the_desk_shows_its_pages_with_the_rights_that_it_has(own_emulator: Emulator, deployment: Deployment) -> None:
    """The page, rendered from its templates, a tap on its button, and the list, which uses the index."""
    dynamodb = boto3.client("dynamodb", **own_emulator.connection)
    EscalationStore(deployment.table_name, dynamodb).upsert(escalation(), datetime.now(UTC))
    link = f"/desk/{sign(SecretStr(SECRETS['SIGNING_KEY']), escalation().escalation_id, 'on-call-1')}"
    with httpx.Client(base_url=own_emulator.url + deployment.api_path, timeout=60) as browser:
        page = browser.get(link)
        assert (page.status_code, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8"), page.text
        assert "A caller is waiting" in page.text
        form = re.search(r'name="form" value="([^"]+)"', page.text)
        assert form is not None
        assert browser.post(f"{link}/pass-on", data={"form": form[1]}).status_code == 303
        assert "You passed it on" in browser.get(link).text
        assert "One caller is waiting" in browser.get(f"{link}/open").text


def test_the_worker_gets_the_templates_environment(deployment: Deployment, resources: dict[str, Any]) -> None:
    """The container's variables and secrets; one that the template lacks is missing here too."""
    [container] = resources["WorkerTask"]["ContainerDefinitions"]
    secrets = [entry for entry in container["Secrets"] if entry["Name"] in SECRETS]  # not those of the user's tools
    names = {entry["Name"] for entry in container["Environment"] + secrets}
    assert names <= deployment.worker_environ.keys()
    ours = {name for name in deployment.worker_environ if not name.startswith("AWS_")}
    assert ours == {name for name in names if not name.startswith("AWS_")}
    assert deployment.worker_environ["TABLE_NAME"] == deployment.table_name
    assert deployment.worker_environ["OPENAI_API_KEY"] == "sk-test"
    assert deployment.worker_environ["MAX_CALLS"] == "30"  # as the parameter says


def test_the_worker_may_do_what_its_role_allows_and_no_more(deployment: Deployment) -> None:
    """It may send escalations, but not read them, as the alerts function does."""
    environ = deployment.worker_environ
    sqs = boto3.client(
        "sqs",
        endpoint_url=environ["AWS_ENDPOINT_URL"],
        region_name=environ["AWS_REGION"],
        aws_access_key_id=environ["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environ["AWS_SECRET_ACCESS_KEY"],
        aws_session_token=environ["AWS_SESSION_TOKEN"],
    )
    assert sqs.send_message(QueueUrl=deployment.queue_url, MessageBody="hello")["MessageId"]
    with pytest.raises(ClientError, match="AccessDenied"):
        sqs.receive_message(QueueUrl=deployment.queue_url)
