"""Reads all profiles at start, and finds the one for a called number."""

import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from worker.profiles.problems import Problem, ProfileError, problems_in
from worker.profiles.profile import Profile

DEFAULT: Final = "default.toml"
"""The agent for every number that no other profile names."""


class Profiles:
    """All agents of a deployment."""

    def __init__(self, default: Profile, others: Iterable[Profile] = ()) -> None:
        self.default = default
        self._all = (default, *others)
        self._by_number = {number: profile for profile in self._all for number in profile.numbers}

    @property
    def numbers(self) -> tuple[str, ...]:
        """All numbers that a profile lists."""
        return tuple(self._by_number)

    def __iter__(self) -> Iterator[Profile]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    def for_number(self, called: str | None) -> Profile:
        """The agent of a called number, however it is written (`+1 555 123-4567`, `sip:+15551234567@host`)."""
        return self._by_number.get(_normalised(called or ""), self.default)


def load_profiles(folder: Path) -> Profiles:
    """Every `*.toml` in the folder, with its tools imported.

    Raises `ProfileError` with all that is wrong in all the files, each with its key and what is allowed.
    """
    problems: list[Problem] = []
    profiles: dict[Path, Profile] = {}
    for file in sorted(folder.glob("*.toml")):
        try:
            profiles[file] = _load(file)
        except ProfileError as error:
            problems += error.problems
    default = folder / DEFAULT
    if not default.is_file():
        problems.append(Problem(str(default), "", "is missing; it answers all numbers without a profile of their own"))
    problems += _claimed_twice(profiles)
    if problems:
        raise ProfileError(problems)
    return Profiles(profiles.pop(default), profiles.values())


def _load(file: Path) -> Profile:
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ProfileError([Problem(str(file), "", f"cannot be read as TOML: {error}")]) from error
    try:
        return Profile.model_validate({"name": file.stem} | table)
    except ValidationError as error:
        raise ProfileError(problems_in(str(file), error, Profile)) from error


def _claimed_twice(profiles: dict[Path, Profile]) -> Iterator[Problem]:
    """Numbers and names that more than one profile, or one profile twice, lays claim to."""
    owners: dict[tuple[str, str], Path] = {}
    for file, profile in profiles.items():
        for key, value in (("name", profile.name), *(("numbers", number) for number in profile.numbers)):
            if (key, value) in owners:
                owner = owners[key, value]
                yield Problem(str(file), key, f"{value} is taken already, in {owner}; it can belong to one agent only")
            owners.setdefault((key, value), file)


def _normalised(number: str) -> str:
    user = re.sub(r"^(sips?|tel):|[@;].*$", "", number.strip(), flags=re.IGNORECASE)
    digits = re.sub(r"[\s().-]", "", user)
    return f"+{digits}" if digits.isdigit() else digits
