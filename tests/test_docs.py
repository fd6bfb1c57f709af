"""The documents: examples run, commands and links exist, tables match the code."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.agents import AgentFile
from shared.on_call.roster import Person, Roster, Tier

TOP = Path(__file__).parent.parent
DOCUMENTS = sorted([*TOP.glob("*.md"), *TOP.glob("docs/*.md")])


def _blocks(language: str) -> Iterator[tuple[str, str]]:
    for document in DOCUMENTS:
        for block in re.findall(rf"```{language}\n(.*?)```", document.read_text(), re.DOTALL):
            yield document.name, block


@pytest.mark.parametrize(("document", "code"), list(_blocks("python")))
def test_python_examples(document: str, code: str) -> None:
    """Every example runs."""
    exec(compile(code, document, "exec"), {"__name__": "example"})  # noqa: S102 - our own documents


@pytest.mark.parametrize(("document", "text"), list(_blocks("toml")))
def test_toml_examples(document: str, text: str) -> None:
    """Every agent and every roster in a document is valid."""
    if document == "on-call.md":
        Roster.parse(text)
        return
    AgentFile.model_validate({"name": document, **tomllib.loads(text)})


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_links(document: Path) -> None:
    """A relative link leads to a file of the repository."""
    links = re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", document.read_text())
    assert [link for link in links if not (document.parent / link).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_commands(document: Path) -> None:
    """Every `make` command in a document is a target of the Makefile."""
    targets = set(re.findall(r"^([a-z][a-zA-Z-]*)(?: [a-z-]+)*:", (TOP / "Makefile").read_text(), re.MULTILINE))
    named = re.findall(r"(?:`|^|\s)make ([a-z][a-z-]+)(?=[`\s])", document.read_text(), re.MULTILINE)
    code = "\n".join(re.findall(r"`+[^`]*`+", document.read_text(), re.DOTALL))
    assert {name for name in named if f"make {name}" in code} - targets == set()


def test_keys_of_a_roster() -> None:
    """The tables of docs/on-call.md have exactly the keys of a roster."""
    tables = (TOP / "docs/on-call.md").read_text()
    rows = [line.split("|")[1] for line in tables.splitlines() if line.startswith("|")]
    documented = set(re.findall(r"`(?:\[\[)?(\w+)(?:\]\])?`", "\n".join(rows)))
    assert documented == {*Roster.model_fields, *Tier.model_fields, *Person.model_fields} - {"id"}


def test_keys_of_an_agents_file() -> None:
    """The table of keys in docs/agents.md has exactly the keys of an agent's file."""
    table = (TOP / "docs/agents.md").read_text().partition("## An agent's file")[2].partition("##")[0]
    first_column = "\n".join(line.split("|")[1] for line in table.splitlines() if line.startswith("|"))
    documented = set(re.findall(r"`\[?(\w+)\]?`", first_column))
    assert documented == set(AgentFile.model_fields) - {"name"}
