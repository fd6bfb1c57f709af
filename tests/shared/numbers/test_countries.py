"""Countries in a setting."""

import phonenumbers
import pytest
from pydantic import TypeAdapter, ValidationError

from shared.numbers.countries import COUNTRIES, Countries

_countries: TypeAdapter[tuple[str, ...]] = TypeAdapter(Countries)


def test_they_are_those_of_the_library() -> None:
    """The list is copied to avoid the import, and must equal the library's."""
    assert COUNTRIES == phonenumbers.SUPPORTED_REGIONS


def test_a_setting() -> None:
    """In any case and with spaces; duplicates are removed."""
    assert _countries.validate_python(" us, CA ,US") == ("US", "CA")
    assert _countries.validate_python("") == ()


@pytest.mark.parametrize("wrong", ["UK", "US,USA", "+1", "US;CA", "001"])
def test_no_country(wrong: str) -> None:
    """The error names the entry and what is allowed."""
    with pytest.raises(ValidationError, match=r"entry \d is no country; .* such as US,CA or GB"):
        _countries.validate_python(wrong)
