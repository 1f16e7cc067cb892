"""Setting up: the database, practices, people."""

from __future__ import annotations

import sys
from uuid import UUID

import click

from app.cli.output import IDENT, house, json_option, tell
from app.errors import InvalidInput
from app.store import migrate, practices
from app.store.keys import require_keys


def register(cli: click.Group) -> None:
    for group in (db_group, practice_group, user_group):
        cli.add_command(group)


@click.group("db")
def db_group() -> None:
    """The database."""


@db_group.command("upgrade")
@json_option
def upgrade(as_json: bool) -> None:
    """Bring the database to this release's tables. Safe to repeat."""
    with house(current=False) as here:
        migrate.upgrade()
        require_keys(here.store, here.app.extensions["runsheet.vault"])
        tell({"upgraded": True}, as_json, lambda: ["The database is up to date."])


@click.group("practice")
def practice_group() -> None:
    """Practices."""


@practice_group.command("create")
@click.option("--name", required=True)
@click.option("--timezone", required=True, help="An IANA name, such as Australia/Melbourne.")
@json_option
def create_practice(name: str, timezone: str, as_json: bool) -> None:
    """Make a practice and print its id."""
    with house() as here:
        with here.store.write() as session:
            practice = practices.create(session, name, timezone)
        tell({"id": str(practice.id)}, as_json, lambda: [f"{practice.name} is practice {practice.id}"])


@click.group("user")
def user_group() -> None:
    """People who sign in."""


@user_group.command("create")
@click.option("--practice", "practice_id", type=IDENT, required=True)
@click.option("--email", required=True)
@click.option("--name", default="", help="How to call them; by default the part before the @.")
@click.option("--role", required=True, help="receptionist, clinician, admin or owner.")
@click.option("--password-stdin", is_flag=True, required=True, help="Read the password from standard input.")
@json_option
def create_user(practice_id: UUID, email: str, name: str, role: str, password_stdin: bool, as_json: bool) -> None:
    """Make a user of a practice and print their id. The password never stands on the command line."""
    if not password_stdin:
        raise InvalidInput({"password": "Give the password on standard input: --password-stdin."})
    new = practices.NewUser(email, name, practices.role_of(role), sys.stdin.readline().rstrip("\r\n"))
    with house() as here:
        with here.store.write() as session:
            user = practices.add_user(session, practices.get(session, practice_id), new)
        tell({"id": str(user.id)}, as_json, lambda: [f"{user.email} is user {user.id}"])
