"""`make deploy`: its checks, the parameters that it looks up, and SAM's arguments."""

import json
import subprocess
from pathlib import Path

import boto3
import pytest

from deploy import release
from deploy.stack import REPOSITORY, DeployError
from local.stack.emulator import Emulator

IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/bellhop-worker@sha256:" + "a" * 64
EXAMPLE = REPOSITORY / "deploy" / "parameters.example.yaml"
STACK = {"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}, "Outputs": {"IncomingCallUrl": {"Value": "https://a/b"}}}


@pytest.fixture
def sam_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fake SAM that records its arguments, one a line."""
    sam, log = tmp_path / "sam", tmp_path / "log"
    sam.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >> {log}\nexit "${{SAM_STATUS:-0}}"\n')
    sam.chmod(0o755)
    monkeypatch.setattr(release, "SAM", sam)
    monkeypatch.setattr(release, "PARAMETERS", EXAMPLE)
    monkeypatch.setenv("IMAGE_URI", IMAGE)
    return log


def test_parameters_of_the_example_are_in_the_template() -> None:
    """The example's active parameters exist in the template."""
    release.check_choices(EXAMPLE)


def test_commented_parameters_of_the_example_are_in_the_template(tmp_path: Path) -> None:
    """A parameter must not cause an error when its comment sign is removed."""
    lines = EXAMPLE.read_text().splitlines()
    offered = [line.removeprefix("# ") for line in lines if line.startswith("# ") and ": " in line]
    assert offered
    all_of_them = tmp_path / "parameters.yaml"
    all_of_them.write_text("\n".join(offered))
    release.check_choices(all_of_them)


def test_a_misspelt_parameter_is_an_error_that_names_the_right_ones(tmp_path: Path) -> None:
    """SAM would ignore it and deploy; then nobody would be on call."""
    choices = tmp_path / "parameters.yaml"
    choices.write_text("OnCallNumber: '+15551230001'")
    with pytest.raises(DeployError, match=r"has OnCallNumber; the template knows OnCallNumbers, "):
        release.check_choices(choices)


@pytest.mark.parametrize("text", ["OnCallNumbers:\n\t- '+15551230001'", "- OnCallNumbers", "OnCallNumbers", "\udcff"])
def test_a_file_without_parameters(tmp_path: Path, text: str) -> None:
    """A tab, a list, a word, binary data: the error is one line that names the file, without a traceback."""
    choices = tmp_path / "parameters.yaml"
    choices.write_text(text, errors="surrogateescape")
    with pytest.raises(DeployError, match=r"^parameters\.yaml "):
        release.check_choices(choices)


def test_without_a_file_of_parameters_the_next_step_is_named(tmp_path: Path) -> None:
    """Before anything is built."""
    with pytest.raises(DeployError, match=r"Copy deploy/parameters\.example\.yaml"):
        release.check_choices(tmp_path / "parameters.yaml")


def test_without_a_secret_the_next_step_is_named(account: Emulator) -> None:
    """Before anything is built."""
    with pytest.raises(DeployError, match="Run `make secrets` first"):
        release.find_out()


def test_sam_gets_the_accounts_parameters(account: Emulator, sam_log: Path) -> None:
    """The secret's newest version, CloudFront's prefix list, the image; the user's parameters as a file."""
    manager = boto3.client("secretsmanager", **account.connection)
    secret = manager.create_secret(Name="bellhop", SecretString="{}")
    version = manager.put_secret_value(SecretId="bellhop", SecretString='{"a": "b"}')["VersionId"]
    cloudformation = boto3.client("cloudformation", **account.connection)
    cloudformation.create_stack(StackName="bellhop", TemplateBody=json.dumps(STACK))
    release.release()
    build, deploy = sam_log.read_text().split("deploy\n")
    assert build.splitlines() == ["build", "--region", "us-east-1"]
    arguments = deploy.splitlines()
    assert arguments[:2] == ["--parameter-overrides", f"file://{EXAMPLE}"]
    assert f"SecretArn={secret['ARN']}" in arguments
    assert f"SecretVersion={version}" in arguments
    assert f"ImageUri={IMAGE}" in arguments
    assert [argument for argument in arguments if argument.startswith("CloudFrontPrefixList=pl-")]
    manager.delete_secret(SecretId="bellhop", ForceDeleteWithoutRecovery=True)


def test_sams_failure_ends_the_deploy(account: Emulator, sam_log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SAM prints the reason; the error names the step."""
    monkeypatch.setattr(release, "find_out", dict)
    monkeypatch.setenv("SAM_STATUS", "3")
    with pytest.raises(DeployError, match="sam build failed with status 3"):
        release.release()


def test_sam_reads_the_file_and_the_arguments_as_we_mean_them() -> None:
    """Checked with SAM's own code: a list becomes one value, and an ARN keeps its colons."""
    code = (
        "import sys, json; from samcli.cli.types import CfnParameterOverridesType as Type;"
        "print(json.dumps(Type().convert(tuple(sys.argv[1:]), None, None)))"
    )
    python = str(REPOSITORY / ".venv-sam" / "bin" / "python")
    arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:bellhop-AbCdEf"
    command = [python, "-c", code, f"file://{EXAMPLE}", f"SecretArn={arn}", f"ImageUri={IMAGE}"]
    parameters = json.loads(subprocess.run(command, check=True, capture_output=True, timeout=60).stdout)
    assert parameters == {
        "OnCallNumbers": "+15551230001",
        "AlertFrom": "+15551230000",
        "SecretArn": arn,
        "ImageUri": IMAGE,
    }
