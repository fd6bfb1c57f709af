"""Settings from environment variables. Each part lists its own in a subclass of `Settings`.

A pydantic model over `os.environ`; pydantic-settings would add 50 ms to every cold start. Settings are read when a part
starts or first needs them, never when a module is imported, so that importing never fails.
"""

import os
from collections.abc import Mapping, MutableMapping
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo

LOOPBACK = {"localhost", "127.0.0.1", "::1"}


class SettingsError(ValueError):
    """Settings are missing or wrong. The message names each variable, its purpose and what is wrong.

    It never contains a value, since some are secrets.
    """


def _url(value: str, scheme: str) -> str:
    # Twilio calls https and wss only; unencrypted URLs are for the local stack.
    parts = urlsplit(value)
    unencrypted = scheme.removesuffix("s")
    if parts.scheme != scheme and not (parts.scheme == unencrypted and parts.hostname in LOOPBACK):
        raise ValueError(f"must begin with {scheme}:// (or {unencrypted}:// on this machine)")
    if not parts.hostname or parts.query or parts.fragment:
        raise ValueError("must have a host, and neither a query nor a fragment")
    _ = parts.port  # raises ValueError when it is not a number
    return value.rstrip("/")


def _api_url(value: str) -> str:
    if urlsplit(value).scheme not in ("http", "https"):
        raise ValueError("must begin with https:// or http://")
    return value.rstrip("/")


def _listed(value: Any) -> Any:
    return [item.strip() for item in value.split(",") if item.strip()] if isinstance(value, str) else value


# A setting with several values, separated by commas.
Listed = BeforeValidator(_listed)
# URLs that Twilio calls, and URLs of APIs that only Bellhop calls: a test double of those may use http.
HttpsUrl = Annotated[str, AfterValidator(lambda value: _url(value, "https"))]
WssUrl = Annotated[str, AfterValidator(lambda value: _url(value, "wss"))]
ApiUrl = Annotated[str, AfterValidator(_api_url)]


class Settings(BaseModel):
    """The settings that every part has. A field `table_name` is read from `TABLE_NAME`; its description is its help."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    table_name: str = Field(description="the DynamoDB table of calls and escalations")

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """The settings in `environ`. A variable set to the empty string counts as unset.

        Raises:
            SettingsError: with every variable that is missing or wrong, not only the first.
        """
        given = {name: environ[name.upper()] for name in cls.model_fields if environ.get(name.upper())}
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            complaints = [_complaint(detail["loc"], detail["msg"], cls.model_fields) for detail in error.errors()]
        # Raised outside of `except`, so that pydantic's error, which contains values, is not printed with it.
        raise SettingsError("; ".join(complaints))

    @classmethod
    def taken_from_environ(cls, environ: MutableMapping[str, str] = os.environ) -> Self:
        """As `from_environ`, and removes the secret variables from `environ`.

        For a part that runs code of others: neither that code nor the programs that it starts find the secrets there.
        """
        settings = cls.from_environ(environ)
        for name, value in settings:
            if isinstance(value, SecretStr):
                environ.pop(name.upper(), None)
        return settings


def _complaint(location: tuple[str | int, ...], message: str, fields: Mapping[str, FieldInfo]) -> str:
    problem = "is not set" if message == "Field required" else message.removeprefix("Value error, ")
    if not location:  # settings contradict each other, and the message names them
        return problem
    name = str(location[0])
    return f"{name.upper()} ({fields[name].description}): {problem}"
