"""What template.yaml gives the worker when it runs it as a container: environment, secrets and role."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Expression = Any  # a value that CloudFormation resolves


@dataclass(frozen=True)
class Container:
    """The worker's container: `environment` and `secrets` (the key of each in the stack's secret) by variable."""

    environment: Mapping[str, Expression]
    secrets: Mapping[str, str]
    role: str  # the logical name of the role that its code runs under

    def filled(self, values: Mapping[str, str]) -> dict[str, str]:
        """The secrets by variable, from their values by key. One of a tool's own that has no value here is left out."""
        return {name: values[key] for name, key in self.secrets.items() if key in values}


def worker_container(template: Mapping[str, Any]) -> Container:
    """The one container of the template's one task definition."""
    [task] = [r["Properties"] for r in template["Resources"].values() if r["Type"] == "AWS::ECS::TaskDefinition"]
    [container] = task["ContainerDefinitions"]
    return Container(
        environment={variable["Name"]: variable["Value"] for variable in container.get("Environment", [])},
        secrets={secret["Name"]: _key(secret["ValueFrom"]["Fn::Sub"]) for secret in container.get("Secrets", [])},
        role=task["TaskRoleArn"]["Fn::GetAtt"][0],
    )


def _key(reference: str) -> str:
    """The JSON key in a reference such as `${SecretArn}:SIGNING_KEY::${SecretVersion}`."""
    found = re.search(r":(\w+):[^:]*:[^:]*$", reference)
    if found is None:
        raise ValueError(f"{reference} names no key of the secret; it should read ${{SecretArn}}:KEY:STAGE:VERSION")
    return found[1]
