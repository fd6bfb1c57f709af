"""The settings of `make run`, from the environment: whether the model and the phone are real, and their addresses."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from local.stack.process import REPOSITORY
from local.stack.simulation import Phone

PORT = 8000
AGENTS = REPOSITORY / "agents"
REAL_PHONE = ("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "ON_CALL_NUMBERS", "ALERT_FROM")


class RunSettingsError(Exception):
    """A variable is wrong, or others that it requires are missing; the message names each variable."""


@dataclass(frozen=True)
class RunSettings:
    """`openai_api_key` is None for the simulated model, `phone` for the simulated Twilio."""

    port: int
    agents_dir: Path
    openai_api_key: str | None = field(repr=False)
    openai_base_url: str | None
    phone: Phone | None


def read(environ: Mapping[str, str]) -> RunSettings:
    """The settings in `environ`; an empty variable counts as unset. Raises `RunSettingsError`."""
    given = {name: value.strip() for name, value in environ.items() if value.strip()}
    port = given.get("PORT", str(PORT))
    if not (port.isdigit() and 0 < int(port) < 65536):
        raise RunSettingsError(f"PORT is {port!r}; it must be a number from 1 to 65535")
    agents_dir = Path(given.get("AGENTS_DIR", AGENTS)).resolve()  # absolute, since the worker runs in another folder
    if not agents_dir.is_dir():
        raise RunSettingsError(f"AGENTS_DIR must be the folder of the agents; {agents_dir} is not a folder")
    return RunSettings(int(port), agents_dir, given.get("OPENAI_API_KEY"), given.get("OPENAI_BASE_URL"), _phone(given))


def _phone(given: Mapping[str, str]) -> Phone | None:
    public_url = given.get("PUBLIC_URL")
    if public_url is None:
        return None
    if not public_url.startswith("https://"):
        raise RunSettingsError("PUBLIC_URL must be the https:// address of a tunnel to this machine")
    if missing := [name for name in REAL_PHONE if name not in given]:
        raise RunSettingsError(f"PUBLIC_URL turns real calls on; these also need {', '.join(missing)}")
    return Phone(
        public_url,
        given["TWILIO_ACCOUNT_SID"],
        given["TWILIO_AUTH_TOKEN"],
        given.get("TWILIO_API_URL"),
        {"OnCallNumbers": given["ON_CALL_NUMBERS"], "AlertFrom": given["ALERT_FROM"]},
    )
