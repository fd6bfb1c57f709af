"""The roster of people on call: `make on-call FILE=on_call.toml` checks and stores it, `make on-call` prints it."""

import sys
from datetime import UTC, datetime
from pathlib import Path

import boto3

from deploy.stack import DeployError, outputs, run
from shared.calls.store import StoreUnavailable
from shared.on_call.roster import Roster, RosterError
from shared.on_call.store import RosterStore


def keep(rosters: RosterStore, file: Path) -> Roster:
    """Stores the roster of a file in place of the stored one, and returns it.

    Raises:
        DeployError: when the file cannot be read or is no valid roster; the stored roster stays.
    """
    try:
        return rosters.write(file.read_text())
    except OSError as error:
        raise DeployError(f"{file} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise DeployError(f"{file} is not text in UTF-8.") from error
    except RosterError as error:
        raise DeployError(f"{file} was not stored:\n{error}") from error


def described(roster: Roster, at: datetime) -> str:
    """Describes a roster: a line for each tier, with who is not on duty at this moment, and what is missing."""
    lines = []
    for number, tier in enumerate(roster.tiers, 1):
        people = [roster.people[one] for one in tier.people]
        names = [person.name + ("" if person.on_duty(at) else " (not on duty now)") for person in people]
        lines.append(f"tier {number}, {tier.accept_within_s} s to accept: {', '.join(names)}")
    listed = {one for tier in roster.tiers for one in tier.people}
    if others := [person.name for one, person in roster.people.items() if one not in listed]:
        lines.append(f"in no tier, so never alerted: {', '.join(others)}")
    if not roster.everybody(at):
        lines.append("Nobody is on duty now: a caller who needs a person is promised a callback.")
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """Runs the command line, which takes a file or nothing; returns the exit status."""

    def command() -> None:
        rosters = RosterStore(outputs()["TableName"], boto3.client("dynamodb"), "deploy")
        try:
            if not arguments:
                print(rosters.text() or "There is no roster; OnCallNumbers and AlertEmail of the stack are alerted.")
                return
            roster = keep(rosters, Path(arguments[0]))
        except StoreUnavailable as error:
            raise DeployError(f"AWS: {error}") from error
        print(f"Stored, and in use within half a minute.\n{described(roster, datetime.now(UTC))}")

    return run(command)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
