"""The path of an HTTP API event. The tests of the functions' handlers cover the rest."""

import pytest

from shared.http_api import below


@pytest.mark.parametrize(
    ("path", "prefixes", "rest"),
    [
        ("/prod/a", ("/prod",), "/a"),
        ("/prod", ("/prod",), "/"),
        ("/product/a", ("/prod",), "/product/a"),
        ("/prod/a", ("", "/prod"), "/a"),
        ("/v1/prod/a", ("/v1", "/prod"), "/prod/a"),
        ("/prod/prod/a", ("/prod", "/prod"), "/prod/a"),
    ],
)
def test_below(path: str, prefixes: tuple[str, ...], rest: str) -> None:
    """Whole segments only, and only one of the prefixes."""
    assert below(path, *prefixes) == rest
