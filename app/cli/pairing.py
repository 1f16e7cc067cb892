"""`connections add` and `connections test`: what speaks to the PMS while somebody waits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import click

from app.cli.house import house
from app.cli.output import BAD_INPUT, FAILED, IDENT, Refused, json_option, pairs, tell
from app.domain.reasons import explain
from app.errors import InvalidInput
from app.parts import Parts
from app.pms.errors import PmsError, PmsNotConfigured
from app.store import connections, practices
from app.store.models import PmsConnection
from app.sync import preview


@click.command()
@click.argument("pms")
@click.option("--practice", "practice_id", metavar="ID", type=IDENT, required=True, help="The practice to connect.")
@click.option("--name", help="What to call the connection; by default the system's own name.")
@click.option(
    "--set", "given", multiple=True, metavar="KEY=VALUE", help="A credential; secrets only as KEY=@FILE or KEY=-."
)
@click.option("--pairing-code", metavar="CODE", help="The one-time code shown by the PMS.")
@json_option
def add(
    pms: str, practice_id: UUID, name: str | None, given: tuple[str, ...], pairing_code: str | None, as_json: bool
) -> None:
    """Connect a practice to PMS (such as gentu) and, with a pairing code, go live.

    Without a code the connection stays a draft, to be paired on its page.
    """
    with house() as here:
        system = preview.system(pms.strip().lower())
        _check_credentials(system, given)
        with here.store.read() as session:
            practices.get(session, practice_id)
        connection = preview.new_connection(here.engine, practice_id, system.kind, name)
        if pairing_code is not None:
            connection = _pair(here, connection, pairing_code)
        told = {"id": str(connection.id), "state": str(connection.state)}
        tell(told, as_json, lambda: [f"{connection.display_name} is connection {connection.id}, {connection.state}."])


@click.command()
@click.argument("connection_id", metavar="CONNECTION", type=IDENT)
@json_option
@click.pass_context
def test(ctx: click.Context, connection_id: UUID, as_json: bool) -> None:
    """Ask the PMS whether it answers for CONNECTION. Saves nothing; exit code 4 when it does not."""
    with house() as here:
        with here.store.read() as session:
            connection = connections.get(session, connection_id)
        health = preview.check(here.engine, connection)
    told = {"healthy": health.healthy, "message": health.message, "latencyMs": health.latency_ms}
    tell(told, as_json, lambda: [health.message] if health.healthy else [])
    if not health.healthy:
        click.echo(health.message, err=True)
        ctx.exit(FAILED)


def finish(here: Parts, connection: PmsConnection) -> PmsConnection:
    """Go live with a connection whose code was accepted before something else failed. Raises Refused."""
    with _in_words(connection):
        preview.read_catalogue(here.engine, connection.practice_id, connection.id)
    return preview.finish_pairing(here.engine, connection.practice_id, connection.id)


def _pair(here: Parts, draft: PmsConnection, code: str) -> PmsConnection:
    """Spend the code. A refusal leaves nothing behind; once the code is spent, what it bought is kept."""
    try:
        with _in_words(draft):
            preview.pair(here.engine, draft.practice_id, draft.id, code)
    except BaseException as error:
        if _dropped(here, draft):
            raise
        kept = f"The code was accepted and is kept as connection {draft.id}; finish with: connections resume {draft.id}"
        raise Refused(f"{error} {kept}") from error
    return preview.finish_pairing(here.engine, draft.practice_id, draft.id)


def _dropped(here: Parts, draft: PmsConnection) -> bool:
    """Take a draft away again; False where the PMS has told us its tenant meanwhile."""
    with here.store.write() as session:
        connection = connections.one_of_practice(session, draft.practice_id, draft.id)
        if connection.tenant_id is not None:
            return False
        session.delete(connection)
        return True


@contextmanager
def _in_words(connection: PmsConnection) -> Iterator[None]:
    """A fault of the PMS as a sentence for whoever typed the command."""
    try:
        yield
    except PmsNotConfigured as error:
        raise Refused(str(error)) from error  # it names what to set
    except PmsError as error:
        told = explain(error.reason, preview.system(connection.pms_type).label)
        what_now = "Nothing was changed; try again in a moment." if told.heals_itself else told.who
        raise Refused(f"{told.happened} {what_now}", BAD_INPUT if error.reason == "code_refused" else FAILED) from error


def _check_credentials(system: preview.System, given: tuple[str, ...]) -> None:
    """Raises InvalidInput: an unknown name, a secret that stands in the open."""
    known = {field.name: field for field in system.credentials}
    unknown = sorted({text.partition("=")[0].strip() for text in given} - known.keys())
    if unknown:
        instead = " It pairs with a code: --pairing-code." if system.pairing and not known else ""
        raise InvalidInput({"set": f"{system.label} does not take {', '.join(unknown)}.{instead}"})
    pairs(given, {name for name, field in known.items() if field.secret})
