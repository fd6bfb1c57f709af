"""The stack of template.yaml, deployed into the emulator through its CloudFormation.

It uses CloudFormation instead of its own API calls: the emulator then resolves every reference, condition and secret
of the template as AWS does, in 1.5 s, and the connections between resources are defined in one place only.
"""

import io
import json
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path

import boto3

from local.stack import template
from local.stack.emulator import ACCOUNT, Connection
from local.stack.process import REPOSITORY
from local.stack.template import worker_container

STACK = "bellhop"
SECRET = "bellhop"  # noqa: S105 - the secret's name
BUCKET = "bellhop-code"
DEPLOYED_WITHIN_S = 60
POLL_S = 0.05
IN_PROGRESS = "CREATE_IN_PROGRESS"


class DeploymentError(Exception):
    """The emulator refused the stack; the message names the resources and the reasons."""


class Deployment:
    """The deployed resources, by their logical names in the template."""

    def __init__(self, connection: Connection, resources: Mapping[str, str], worker_environ: Mapping[str, str]) -> None:
        self._connection = connection
        self._resources = dict(resources)
        self.worker_environ = worker_environ

    def physical(self, logical: str) -> str:
        """The name, URL or ARN of a resource, as `Ref` gives it."""
        return self._resources[logical]

    @property
    def queue_url(self) -> str:
        return self.physical("EscalationQueue")

    @property
    def reminder_queue_url(self) -> str:
        return self.physical("ReminderQueue")

    @property
    def dead_letter_queue_url(self) -> str:
        return self.physical("DeadLetterQueue")

    @property
    def table_name(self) -> str:
        return self.physical("Table")

    @property
    def api_path(self) -> str:
        """The prefix of the HTTP API's routes in the emulator's URL."""
        return f"/_aws/execute-api/{self.physical('HttpApi')}"

    def log_of(self, function: str) -> list[str]:
        """The log lines of a function (by its logical name); empty before its first run."""
        lambda_ = boto3.client("lambda", **self._connection)
        configuration = lambda_.get_function_configuration(FunctionName=self.physical(function))
        logs = boto3.client("logs", **self._connection)
        pages = logs.get_paginator("filter_log_events")
        try:
            return [
                event["message"].rstrip("\n")
                for page in pages.paginate(logGroupName=configuration["LoggingConfig"]["LogGroup"])
                for event in page["events"]
            ]
        except logs.exceptions.ResourceNotFoundException:
            return []


def deploy(
    connection: Connection,
    *,
    secrets: Mapping[str, str],
    parameters: Mapping[str, str],
    environment: template.Environment,
) -> Deployment:
    """Deploys template.yaml and waits until the stack is complete; raises `DeploymentError`.

    `secrets` fills the stack's secret, by key. `parameters` are the template's, except those that `make deploy`
    determines itself.
    """
    manager = boto3.client("secretsmanager", **connection)
    secret = manager.create_secret(Name=SECRET, SecretString=json.dumps(dict(secrets)))
    source = template.read()
    body = template.for_emulator(source, _upload(connection, template.function_folders(source)), environment)
    found_out = {"SecretArn": secret["ARN"], "SecretVersion": secret["VersionId"]}
    resources, outputs = _create(connection, body, {**found_out, **parameters})
    container = worker_container(source)
    worker_environ = {
        **{name: outputs[template.worker_output(name)] for name in environment.applied(container.environment)},
        **container.filled(secrets),
        **_credentials(connection, resources[container.role]),
    }
    deployment = Deployment(connection, resources, worker_environ)
    dynamodb = boto3.client("dynamodb", **connection)
    for table, attribute in template.time_to_live(source).items():
        dynamodb.update_time_to_live(
            TableName=deployment.physical(table),
            TimeToLiveSpecification={"AttributeName": attribute, "Enabled": True},
        )
    return deployment


def _upload(connection: Connection, folders: Mapping[str, str]) -> dict[str, template.Resource]:
    """Uploads each function's folder with `shared/`, and returns its `Code`. Libraries come from this environment."""
    s3 = boto3.client("s3", **connection)
    s3.create_bucket(Bucket=BUCKET)
    code: dict[str, template.Resource] = {}
    for name, folder in folders.items():
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as artifact:
            for part in (folder, "shared"):
                for file in sorted(Path(REPOSITORY, part).rglob("*")):
                    if file.is_file() and "__pycache__" not in file.parts:
                        artifact.write(file, file.relative_to(REPOSITORY))
        s3.put_object(Bucket=BUCKET, Key=f"{name}.zip", Body=buffer.getvalue())
        code[name] = {"S3Bucket": BUCKET, "S3Key": f"{name}.zip"}
    return code


def _credentials(connection: Connection, role: str) -> dict[str, str]:
    """The environment variables with which a program runs under a role, with that role's permissions."""
    session = boto3.client("sts", **connection).assume_role(
        RoleArn=f"arn:aws:iam::{ACCOUNT}:role/{role}", RoleSessionName="worker", DurationSeconds=template.ROLE_SESSION_S
    )
    credentials = session["Credentials"]
    return {
        "AWS_ACCESS_KEY_ID": credentials["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": credentials["SecretAccessKey"],
        "AWS_SESSION_TOKEN": credentials["SessionToken"],
        "AWS_ENDPOINT_URL": connection["endpoint_url"],
        "AWS_REGION": connection["region_name"],
        "AWS_DEFAULT_REGION": connection["region_name"],
    }


def _create(
    connection: Connection, body: template.Resource, parameters: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, str]]:
    """Creates the stack; returns its resources' physical names by logical name, and its outputs."""
    cloudformation = boto3.client("cloudformation", **connection)
    cloudformation.create_stack(
        StackName=STACK,
        TemplateBody=json.dumps(body),
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        Capabilities=["CAPABILITY_IAM"],
    )
    deadline = time.monotonic() + DEPLOYED_WITHIN_S
    while (stack := cloudformation.describe_stacks(StackName=STACK)["Stacks"][0])["StackStatus"] == IN_PROGRESS:
        if time.monotonic() > deadline:
            raise DeploymentError(f"the stack was not deployed within {DEPLOYED_WITHIN_S} s")
        time.sleep(POLL_S)
    resources = cloudformation.describe_stack_resources(StackName=STACK)["StackResources"]
    if stack["StackStatus"] != "CREATE_COMPLETE":
        reasons = [f"{r['LogicalResourceId']}: {r.get('ResourceStatusReason')}" for r in resources]
        raise DeploymentError(f"{stack['StackStatus']}: {stack.get('StackStatusReason')}\n" + "\n".join(reasons))
    physical = {resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in resources}
    return physical, {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
