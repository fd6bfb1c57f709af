"""The roster of people on call: `make on-call FILE=on_call.toml` checks and keeps it, `make on-call` prints it."""

import sys
from datetime import UTC, datetime
from pathlib import Path

import boto3

from deploy.stack import DeployError, outputs, run
from shared.calls.store import StoreUnavailable
from shared.on_call.roster import Roster, RosterError
from shared.on_call.store import RosterStore


def keep(rosters: RosterStore, file: Path) -> Roster:
    """Puts a file's roster in the place of the one before.

    Raises:
        DeployError: when there is no such file, or no roster in it; the one before stays.
    """
    try:
        return rosters.write(file.read_text())
    except OSError as error:
        raise DeployError(f"{file} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise DeployError(f"{file} is not text in UTF-8.") from error
    except RosterError as error:
        raise DeployError(f"{file} was not kept:\n{error}") from error


def described(roster: Roster, at: datetime) -> str:
    """What it comes to: who is alerted first and then, and who of them is on duty at a moment."""
    lines = []
    for number, tier in enumerate(roster.tiers, 1):
        people = [roster.people[one] for one in tier.people]
        names = [person.name + ("" if person.on_duty(at) else " (not on duty now)") for person in people]
        lines.append(f"tier {number}, {tier.accept_within_s} s to accept: {', '.join(names)}")
    listed = {one for tier in roster.tiers for one in tier.people}
    if others := [person.name for one, person in roster.people.items() if one not in listed]:
        lines.append(f"in no tier, and so never alerted: {', '.join(others)}")
    if not roster.everybody(at):
        lines.append("Nobody is on duty now: a caller who needs a person is promised a call back.")
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """The command line: a file, or nothing."""

    def command() -> None:
        rosters = RosterStore(outputs()["TableName"], boto3.client("dynamodb"), "deploy")
        try:
            if not arguments:
                print(rosters.text() or "There is no roster; OnCallNumbers and AlertEmail of the stack are alerted.")
                return
            roster = keep(rosters, Path(arguments[0]))
        except StoreUnavailable as error:
            raise DeployError(f"AWS: {error}") from error
        print(f"Kept, and in use within half a minute.\n{described(roster, datetime.now(UTC))}")

    return run(command)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
