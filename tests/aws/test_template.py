"""template.yaml: linters, and rules that linters do not know."""

import itertools
import json
import re
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import SecretStr

from deploy.secrets import OURS
from functions.alerts.escalation_policy import CLAIM_S
from functions.desk.context import ANSWERED_WITHIN_S
from functions.voice.next_step import PAUSES_S
from functions.voice.settings import VoiceSettings
from local.stack import template
from local.stack.process import REPOSITORY
from local.stack.template import worker_container
from shared.on_call.settings import OnCallSettings
from shared.settings import Settings
from worker.settings import WorkerSettings

# A value of the secret that `make secrets` stores, by key and version.
RESOLVED = "{{{{resolve:secretsmanager:${{SecretArn}}:SecretString:{key}::${{SecretVersion}}}}}}"


def run(*command: str) -> str:
    """Runs a tool of a separate environment and returns its output; fails if the tool does."""
    executable = REPOSITORY / command[0]
    assert executable.exists(), f"{command[0]} is not installed: make setup-sam setup-checkov"
    done = subprocess.run(
        [executable, *command[1:]], cwd=REPOSITORY, capture_output=True, text=True, timeout=110, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def resources() -> dict[str, Any]:
    """The template's resources."""
    resources: dict[str, Any] = template.read()["Resources"]
    return resources


def properties(resources: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    """The properties of all resources of a type."""
    return [resource["Properties"] for resource in resources.values() if resource["Type"] == kind]


def test_sam_accepts_the_template() -> None:
    """SAM's own transform and linter accept it."""
    assert "is a valid SAM Template" in run(".venv-sam/bin/sam", "validate", "--lint", "--region", "us-east-1")


def test_cfn_lint_finds_no_fault() -> None:
    """It is checked for more than one region, since not every region supports every property."""
    run(".venv-sam/bin/cfn-lint", "template.yaml", "--regions", "us-east-1", "eu-central-1", "ap-southeast-2")


def test_the_last_resumption_comes_after_failed_health_checks(resources: dict[str, Any]) -> None:
    """At worst it dies just after a passed check; then two more checks follow, the second with its full timeout."""
    [workers] = properties(resources, "AWS::ElasticLoadBalancingV2::TargetGroup")
    assert workers["HealthCheckTimeoutSeconds"] < workers["HealthCheckIntervalSeconds"]  # or the API refuses them
    checks_s = workers["HealthCheckIntervalSeconds"] * workers["UnhealthyThresholdCount"]
    resumptions = template.read()["Parameters"]["MaxResumes"]["Default"]
    assert sum(PAUSES_S[:resumptions]) > checks_s + workers["HealthCheckTimeoutSeconds"]


def test_the_security_scan_finds_no_fault() -> None:
    """Apart from the checks that .checkov.yaml and the resources' metadata skip, each with a reason."""
    found = re.search(
        r"Passed checks: (\d+), Failed checks: 0", run(".venv-checkov/bin/checkov", "-f", "template.yaml")
    )
    assert found is not None
    assert int(found[1]) > 50, "checkov has looked at much less than there is"


def test_every_skipped_check_has_a_reason() -> None:
    """A check's number alone does not explain the skip."""
    skips = (REPOSITORY / ".checkov.yaml").read_text().partition("skip-check:")[2].splitlines()
    assert not [line for line in skips if "CKV" in line and not re.search(r"# \w+", line)]


def statements(resources: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each statement of each role's policies, with the role's name."""
    for name, resource in resources.items():
        if resource["Type"] == "AWS::IAM::Role":
            for policy in resource["Properties"]["Policies"]:
                for statement in policy["PolicyDocument"]["Statement"]:
                    yield name, statement.get("Fn::If", [None, statement])[1]


def test_no_role_may_do_more_than_it_needs(resources: dict[str, Any]) -> None:
    """Actions and resources are named; the only exception is an action without a resource."""
    for role, statement in statements(resources):
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        assert not [action for action in actions if "*" in action], role
        if statement["Resource"] == "*":
            assert actions == ["ecr:GetAuthorizationToken"], role
    assert not [role for role in properties(resources, "AWS::IAM::Role") if "ManagedPolicyArns" in role]
    assert not [
        function for function in properties(resources, "AWS::Serverless::Function") if "Role" not in function
    ], "SAM would make a role of its own, which may more"


@pytest.mark.parametrize(("name", "event"), [("EscalationQueue", "Escalations"), ("ReminderQueue", "Reminders")])
def test_a_message_is_not_delivered_again_during_an_invocation(
    resources: dict[str, Any], name: str, event: str
) -> None:
    """Lambda's documentation requires a visibility timeout of six times the function's time limit."""
    queue, alerts = resources[name]["Properties"], resources["AlertsFunction"]["Properties"]
    assert queue["VisibilityTimeout"] >= 6 * alerts["Timeout"]
    assert queue["RedrivePolicy"]["maxReceiveCount"] >= 5
    assert queue["RedrivePolicy"]["deadLetterTargetArn"] == {"Fn::GetAtt": ["DeadLetterQueue", "Arn"]}
    assert alerts["Events"][event]["Properties"]["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_a_lease_outlasts_its_invocation(resources: dict[str, Any]) -> None:
    """Otherwise two invocations could alert the same tier."""
    assert resources["AlertsFunction"]["Properties"]["Timeout"] < CLAIM_S


def test_alerts_leave_concurrency_for_callers(resources: dict[str, Any]) -> None:
    """A new account runs ten invocations at once; alerts must leave at least half of them for callers."""
    events = resources["AlertsFunction"]["Properties"]["Events"].values()
    most = [event["Properties"]["ScalingConfig"]["MaximumConcurrency"] for event in events]
    assert min(most) >= 2, "Lambda takes no less"
    assert sum(most) <= 10 / 2


def test_no_desk_link_gets_into_the_access_log(resources: dict[str, Any]) -> None:
    """Whoever has the link acts as the person, so the log has only the route."""
    [stage] = properties(resources, "AWS::ApiGatewayV2::Stage")
    written = stage["AccessLogSettings"]["Format"]
    assert "$context.routeKey" in written
    assert not [field for field in ("$context.path", "rawPath", "queryString") if field in written]


def test_twilio_is_answered_before_it_gives_up(resources: dict[str, Any]) -> None:
    """Twilio waits 15 s for a webhook."""
    assert resources["VoiceFunction"]["Properties"]["Timeout"] < 15
    assert ANSWERED_WITHIN_S + 2 < resources["DeskFunction"]["Properties"]["Timeout"] < 15  # 2 s for its cold start


def environment(function: str) -> dict[str, Any]:
    """A function's environment variables, including those of all functions."""
    whole = template.read()
    shared = whole["Globals"]["Function"]["Environment"]["Variables"]
    own = whole["Resources"][function]["Properties"]["Environment"]["Variables"]
    return {**shared, **own}


def required(settings: type[Settings]) -> set[str]:
    """The variables that a part requires to start."""
    return {name.upper() for name, field in settings.model_fields.items() if field.is_required()}


@pytest.mark.parametrize(
    ("function", "settings"),
    [("VoiceFunction", VoiceSettings), ("AlertsFunction", OnCallSettings), ("DeskFunction", OnCallSettings)],
)
def test_a_function_gets_its_settings(function: str, settings: type[Settings]) -> None:
    """It gets all required variables, and none that it does not read."""
    variables = set(environment(function))
    assert required(settings) <= variables
    read = {name.upper() for name in settings.model_fields} | {"LOG_LEVEL", "TWILIO_ACCOUNT_SID"}
    assert set(template.read()["Resources"][function]["Properties"]["Environment"]["Variables"]) <= read


def test_the_worker_gets_its_settings() -> None:
    """They come from its container's environment and secrets."""
    container = worker_container(template.read())
    assert required(WorkerSettings) <= container.environment.keys() | container.secrets.keys()


def test_the_worker_gets_no_secret_that_stays_in_its_environment() -> None:
    """It removes the secrets of its settings. Tools could read any other secret of Bellhop's."""
    secret = {name.upper() for name, field in WorkerSettings.model_fields.items() if field.annotation is SecretStr}
    assert worker_container(template.read()).secrets.keys() & OURS == secret


def test_a_task_has_one_processor_at_most() -> None:
    """The worker is one process, so more processors would be wasted."""
    assert max(template.read()["Parameters"]["TaskCpu"]["AllowedValues"]) == 1024


def evaluated(condition: Any, given: dict[str, str]) -> Any:
    """Evaluates a rule's condition as CloudFormation does, with these parameters."""
    match condition:
        case {"Ref": name}:
            return given[name]
        case {"Fn::Or": parts}:
            return any(evaluated(part, given) for part in parts)
        case {"Fn::And": parts}:
            return all(evaluated(part, given) for part in parts)
        case {"Fn::Equals": [one, other]}:
            return evaluated(one, given) == other
        case {"Fn::Contains": [allowed, one]}:
            return evaluated(one, given) in allowed
    raise AssertionError(f"this function is not known here: {condition}")


def test_a_task_gets_a_size_that_fargate_has() -> None:
    """Of all pairs of the two parameters, the rule allows exactly those that Fargate has; it allows the defaults."""
    whole = template.read()
    [assertion] = whole["Rules"]["MemoryFitsCpu"]["Assertions"]
    cpu, memory = (whole["Parameters"][name] for name in ("TaskCpu", "TaskMemory"))
    for part, size in itertools.product(cpu["AllowedValues"], memory["AllowedValues"]):
        given = {"TaskCpu": str(part), "TaskMemory": str(size)}
        assert evaluated(assertion["Assert"], given) is (2 * part <= size <= 8 * part), given
    assert 2 * cpu["Default"] <= memory["Default"] <= 8 * cpu["Default"]


def test_every_part_that_checks_numbers_gets_the_countries() -> None:
    """Otherwise one part would dial a number that another refuses."""
    countries = {"Ref": "CallbackCountries"}
    assert worker_container(template.read()).environment["CALLBACK_COUNTRIES"] == countries
    for function in ("AlertsFunction", "DeskFunction"):
        assert environment(function)["CALLBACK_COUNTRIES"] == countries


@pytest.mark.parametrize(
    ("given", "fits"), [("", True), ("US", True), ("US, CA,GB", True), ("us", False), ("US CA", False)]
)
def test_values_of_the_parameter_for_countries(given: str, fits: bool) -> None:
    """The parameter allows exactly the values that the parts accept."""
    pattern = template.read()["Parameters"]["CallbackCountries"]["AllowedPattern"]
    assert bool(re.fullmatch(pattern, given)) is fits


def test_secrets_stay_in_secrets_manager() -> None:
    """They are referenced by version, so a deploy after a rotation uses the new values."""
    container = worker_container(template.read())
    secret = {"TWILIO_AUTH_TOKEN", "SIGNING_KEY", "OPENAI_API_KEY"}
    assert secret <= container.secrets.keys()
    assert not secret & container.environment.keys()
    for function in ("VoiceFunction", "AlertsFunction", "DeskFunction"):
        for name in secret & environment(function).keys():
            assert environment(function)[name] == {"Fn::Sub": RESOLVED.format(key=name)}


def test_a_call_survives_a_deploy(resources: dict[str, Any]) -> None:
    """Every time limit on a socket's path is long enough for a call."""
    [targets] = properties(resources, "AWS::ElasticLoadBalancingV2::TargetGroup")
    [balancer] = properties(resources, "AWS::ElasticLoadBalancingV2::LoadBalancer")
    [task] = properties(resources, "AWS::ECS::TaskDefinition")
    [service] = properties(resources, "AWS::ECS::Service")
    attributes = {a["Key"]: a["Value"] for a in targets["TargetGroupAttributes"] + balancer["LoadBalancerAttributes"]}
    assert attributes["deregistration_delay.timeout_seconds"] == "3600"
    assert int(attributes["idle_timeout.timeout_seconds"]) >= 120
    [container] = task["ContainerDefinitions"]
    assert container["StopTimeout"] == 120
    assert WorkerSettings.model_fields["drain_s"].default < container["StopTimeout"]
    assert service["DeploymentConfiguration"]["MinimumHealthyPercent"] == 100
    assert service["DeploymentConfiguration"]["DeploymentCircuitBreaker"] == {"Enable": True, "Rollback": True}
    assert "DesiredCount" not in service, "a deploy would undo the scaling"


def test_cloudfront_caches_no_errors(resources: dict[str, Any]) -> None:
    """CloudFront caches these errors for 10 s by default, whatever the answer's headers say."""
    [distribution] = properties(resources, "AWS::CloudFront::Distribution")
    kept_s = {
        response["ErrorCode"]: response["ErrorCachingMinTTL"]
        for response in distribution["DistributionConfig"]["CustomErrorResponses"]
    }
    assert kept_s == dict.fromkeys((404, 414, 500, 501, 502, 503, 504), 0)


def test_a_blocked_log_blocks_no_call(resources: dict[str, Any]) -> None:
    """The log driver drops lines then, and its buffer leaves enough memory for a worker in the smallest task."""
    [task] = properties(resources, "AWS::ECS::TaskDefinition")
    options = task["ContainerDefinitions"][0]["LogConfiguration"]["Options"]
    assert options["mode"] == "non-blocking"
    buffer = re.fullmatch(r"(\d+)m", options["max-buffer-size"])
    assert buffer is not None
    assert 1 < int(buffer[1]) <= min(template.read()["Parameters"]["TaskMemory"]["AllowedValues"]) / 10


def filled_in(alarm: dict[str, Any]) -> bool:
    """Whether the alarm fills in values where a metric has none."""
    return any("FILL" in metric.get("Expression", "") for metric in alarm.get("Metrics", []))


def test_a_late_value_still_rings(resources: dict[str, Any]) -> None:
    """FILL puts zeros in the newest minutes of a late metric; an alarm on one minute would see only those."""
    alarms = [alarm for alarm in properties(resources, "AWS::CloudWatch::Alarm") if filled_in(alarm)]
    assert len(alarms) >= 3
    for alarm in alarms:
        assert 1 <= alarm["DatapointsToAlarm"] < alarm["EvaluationPeriods"], alarm["AlarmDescription"]
        [period_s] = {metric["MetricStat"]["Period"] for metric in alarm["Metrics"] if "MetricStat" in metric}
        assert alarm["EvaluationPeriods"] * period_s >= 300, "metrics from logs come minutes late"


def test_no_metrics_for_each_route(resources: dict[str, Any]) -> None:
    """The alarm and the dashboard use only the metrics of the whole API."""
    [stage] = properties(resources, "AWS::ApiGatewayV2::Stage")
    assert not stage["DefaultRouteSettings"].get("DetailedMetricsEnabled", False)


def test_a_worker_protects_its_own_task(resources: dict[str, Any]) -> None:
    """It may make its requests to ECS, for its own cluster's tasks and services only."""
    [policy] = resources["WorkerRole"]["Properties"]["Policies"]
    asked = [s for s in policy["PolicyDocument"]["Statement"] if "ecs:" in str(s["Action"])]
    allowed = {action for statement in asked for action in statement["Action"]}
    assert allowed == {"ecs:GetTaskProtection", "ecs:UpdateTaskProtection", "ecs:DescribeTasks", "ecs:DescribeServices"}
    assert all("/${Cluster}/*" in str(statement["Resource"]) for statement in asked)


def test_the_container_runs_as_the_image_does(resources: dict[str, Any]) -> None:
    """User, port and health check equal those in the Dockerfile; Fargate reads them from the template."""
    [task] = properties(resources, "AWS::ECS::TaskDefinition")
    [container] = task["ContainerDefinitions"]
    dockerfile = (REPOSITORY / "worker" / "Dockerfile").read_text()
    assert f"USER {container['User']}\n" in dockerfile
    assert container["ReadonlyRootFilesystem"] is True
    assert f"EXPOSE {container['PortMappings'][0]['ContainerPort']}\n" in dockerfile
    kind, *command = container["HealthCheck"]["Command"]
    assert kind == "CMD"
    assert f"CMD {json.dumps(command)}\n" in dockerfile


def bellhop_metrics(node: Any) -> Iterator[tuple[str, str]]:
    """Every (service, metric) of our own in a part of the template."""
    if isinstance(node, dict):
        if node.get("Namespace") == "Bellhop":
            yield node["Dimensions"][0]["Value"], node["MetricName"]
        for value in node.values():
            yield from bellhop_metrics(value)
    elif isinstance(node, list):
        for value in node:
            yield from bellhop_metrics(value)
    elif isinstance(node, str):
        for metric, service in re.findall(r'"Bellhop", "(\w+)", "service", "(\w+)"', node):
            yield service, metric
        for metric, service in re.findall(r'{Bellhop,[\w,]+} MetricName=\\"(\w+)\\" service=\\"(\w+)\\"', node):
            yield service, metric  # a search expression, whose values only CloudWatch has


def test_every_metric_in_the_template_is_written(resources: dict[str, Any]) -> None:
    """An alarm on a metric that no code writes would never ring."""
    folders = {"worker": "worker", "voice": "functions/voice", "alerts": "functions/alerts", "desk": "functions/desk"}
    written = {  # by the part's own code, or by shared code
        service: "".join(file.read_text() for name in (folder, "shared") for file in (REPOSITORY / name).rglob("*.py"))
        for service, folder in folders.items()
    }
    watched = set(bellhop_metrics(resources))
    assert {("worker", "ActiveCalls"), ("worker", "CallsFailed")} <= watched
    assert not [(service, metric) for service, metric in sorted(watched) if f'"{metric}"' not in written[service]]


def test_the_dashboard_can_be_read(resources: dict[str, Any]) -> None:
    """CloudFormation passes it on as text; only CloudWatch would find invalid JSON."""
    body = json.loads(re.sub(r"\$\{[^}]+\}", "x", resources["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]))
    assert len(body["widgets"]) > 5
    places = [[widget[side] for side in ("x", "y", "width", "height")] for widget in body["widgets"]]
    taken = [
        (x + across, y + down) for x, y, width, height in places for across in range(width) for down in range(height)
    ]
    assert len(taken) == len(set(taken)), "a widget covers another"
    assert all(across < 24 for across, _ in taken), "the dashboard is 24 wide"


def test_every_log_has_a_retention(resources: dict[str, Any]) -> None:
    """Without a log group in the template, Lambda creates one that keeps everything."""
    groups = properties(resources, "AWS::Logs::LogGroup")
    assert all(group["RetentionInDays"] == {"Ref": "LogRetentionDays"} for group in groups)
    functions = properties(resources, "AWS::Serverless::Function")
    assert all(function["LoggingConfig"]["LogGroup"]["Ref"] in resources for function in functions)
