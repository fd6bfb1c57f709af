"""`shared.agents` imports only modules that the functions have as well."""

import subprocess
import sys

from local.stack.process import REPOSITORY

# The worker's code and libraries, and libraries that are slow to import.
UNWANTED = {
    "worker",
    "functions",
    "boto3",
    "botocore",
    "twilio",
    "msgspec",
    "websockets",
    "uvloop",
    "phonenumbers",
}


def test_nothing_of_the_worker_is_imported() -> None:
    """Functions read agent files too, and imports slow their cold starts."""
    code = "import sys; from shared.agents import read_agents; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, check=True, text=True, timeout=60
    )
    imported = {name.partition(".")[0] for name in done.stdout.split()}
    assert {"shared", "pydantic"} <= imported
    assert not imported & UNWANTED
