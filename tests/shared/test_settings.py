"""Settings from the environment."""

from typing import ClassVar

import pytest
from pydantic import Field, SecretStr

from shared.settings import HttpsUrl, Settings, SettingsError, WssUrl


class PartSettings(Settings):
    """The settings of some part."""

    public_url: HttpsUrl = Field(description="where Twilio finds us")
    stream_url: WssUrl = Field(default="wss://example.com/media-stream", description="the socket")
    secret: SecretStr = Field(description="a secret", min_length=8)
    language: str = Field(default="en-US", description="a language")


class TestFromEnviron:
    """Settings.from_environ"""

    good: ClassVar = {"TABLE_NAME": "table", "PUBLIC_URL": "https://example.com/v1/", "SECRET": "long enough"}

    def test_each_field_reads_the_variable_of_its_name(self) -> None:
        """A field reads the variable of its name in capitals; other variables are ignored."""
        settings = PartSettings.from_environ({**self.good, "LANGUAGE": "de-DE", "HOME": "/root"})
        assert (settings.table_name, settings.language) == ("table", "de-DE")
        assert settings.secret.get_secret_value() == "long enough"

    def test_an_empty_variable_is_an_unset_one(self) -> None:
        """CloudFormation cannot leave a variable out, only empty."""
        assert PartSettings.from_environ({**self.good, "LANGUAGE": ""}).language == "en-US"
        with pytest.raises(SettingsError, match=r"TABLE_NAME .*is not set"):
            PartSettings.from_environ({**self.good, "TABLE_NAME": ""})

    def test_every_fault_is_reported_at_once(self) -> None:
        """One deployment shows all faults."""
        with pytest.raises(SettingsError) as error:
            PartSettings.from_environ({"STREAM_URL": "https://example.com"})
        assert str(error.value) == (
            "TABLE_NAME (the DynamoDB table of calls and escalations): is not set; "
            "PUBLIC_URL (where Twilio finds us): is not set; "
            "STREAM_URL (the socket): must begin with wss:// (or ws:// on this machine); "
            "SECRET (a secret): is not set"
        )

    def test_no_value_is_shown(self) -> None:
        """A wrong secret is shown neither in the message nor in the traceback."""
        with pytest.raises(SettingsError) as error:
            PartSettings.from_environ({**self.good, "SECRET": "hunter2"})
        assert "SECRET (a secret)" in str(error.value)
        assert "hunter2" not in repr(error.value)
        assert error.value.__context__ is None

    @pytest.mark.parametrize(
        ("url", "read"),
        [
            ("https://example.com", "https://example.com"),
            ("https://example.com/prod/", "https://example.com/prod"),
            ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
            ("http://localhost:8000", "http://localhost:8000"),
        ],
    )
    def test_urls(self, url: str, read: str) -> None:
        """HTTPS, or HTTP on this machine; a slash at the end is removed."""
        assert PartSettings.from_environ({**self.good, "PUBLIC_URL": url}).public_url == read

    @pytest.mark.parametrize(
        "url",
        [
            "http://example.com",
            "example.com",
            "https://",
            "https://example.com/?a=1",
            "https://example.com#a",
            "https://example.com:port",
            "wss://example.com",
        ],
    )
    def test_wrong_urls(self, url: str) -> None:
        """URLs that Twilio cannot call, or to which no path can be added."""
        with pytest.raises(SettingsError, match="PUBLIC_URL"):
            PartSettings.from_environ({**self.good, "PUBLIC_URL": url})


class TestTakenFromEnviron:
    """Settings.taken_from_environ"""

    good: ClassVar = {**TestFromEnviron.good, "SPARE": "another one", "LANGUAGE": "de-DE", "HOME": "/root"}

    class Secretive(PartSettings):
        """Settings with more kinds of secrets."""

        spare: SecretStr | None = Field(default=None, description="a secret that may be missing")
        missing: SecretStr | None = Field(default=None, description="one that is")
        unset: SecretStr = Field(default=SecretStr("made up"), description="one that has a default")

    def test_secrets_are_out_of_the_environment_afterwards(self) -> None:
        """All other variables stay: settings that are not secret, and variables that are not settings."""
        environ = {**self.good, "MISSING": ""}
        settings = self.Secretive.taken_from_environ(environ)
        assert settings == self.Secretive.from_environ({**self.good, "MISSING": ""})
        assert environ == {name: self.good[name] for name in self.good.keys() - {"SECRET", "SPARE"}} | {"MISSING": ""}

    def test_settings_that_are_wrong_leave_the_environment_as_it_is(self) -> None:
        """No variable is removed if reading fails."""
        environ = {**self.good, "PUBLIC_URL": "ftp://example.com"}
        with pytest.raises(SettingsError):
            self.Secretive.taken_from_environ(environ)
        assert environ == {**self.good, "PUBLIC_URL": "ftp://example.com"}
