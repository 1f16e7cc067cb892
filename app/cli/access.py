"""Setting up: the database, practices, people."""

from __future__ import annotations

import sys
from uuid import UUID

import click

from app.cli.house import house, read_settings
from app.cli.output import IDENT, json_option, tell
from app.store import practices


@click.command()
@json_option
def upgrade(as_json: bool) -> None:
    """Bring the database to this release's tables. Safe to repeat."""
    from app.wiring import migrate_database  # noqa: PLC0415 - alembic is slow to import

    migrate_database(read_settings(quiet=True))
    with house() as here:
        assert here.vault  # its key is remembered, or refused
    tell({"upgraded": True}, as_json, lambda: ["The database is up to date."])


@click.command("create")
@click.option("--name", required=True, help="What the practice is called.")
@click.option("--timezone", required=True, help="An IANA name, such as Australia/Melbourne.")
@json_option
def create_practice(name: str, timezone: str, as_json: bool) -> None:
    """Make a practice and print its id."""
    with house() as here:
        with here.store.write() as session:
            practice = practices.create(session, name, timezone)
        tell({"id": str(practice.id)}, as_json, lambda: [f"{practice.name} is practice {practice.id}"])


@click.command("create")
@click.option("--practice", "practice_id", metavar="ID", type=IDENT, required=True, help="The practice they work for.")
@click.option("--email", required=True, help="What they sign in with.")
@click.option("--name", default="", help="How to call them; by default the part before the @.")
@click.option("--role", required=True, help="receptionist, clinician, admin or owner.")
@click.option("--password-stdin", is_flag=True, required=True, help="Read the password from standard input.")
@json_option
def create_user(practice_id: UUID, email: str, name: str, role: str, password_stdin: bool, as_json: bool) -> None:  # noqa: ARG001 - the flag is the only way
    """Make a user of a practice and print their id. The password never stands on the command line."""
    chosen = practices.role_of(role)
    new = practices.NewUser(email, name, chosen, sys.stdin.readline().rstrip("\r\n"))
    with house() as here:
        with here.store.write() as session:
            user = practices.add_user(session, practices.get(session, practice_id), new)
        tell({"id": str(user.id)}, as_json, lambda: [f"{user.email} is user {user.id}"])
