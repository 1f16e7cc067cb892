"""`connections add`, `credentials` and `test`: what speaks to the PMS while somebody waits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from uuid import UUID

import click

from app.cli.house import house
from app.cli.output import BAD_INPUT, FAILED, IDENT, Refused, instant, json_option, pairs, table, tell
from app.domain.reasons import explain
from app.errors import InvalidInput
from app.parts import Parts
from app.pms.errors import PmsError, PmsNotConfigured
from app.store import connections, practices
from app.store.models import PmsConnection
from app.sync import preview
from app.sync.engine import Engine


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
    """Connect a practice to PMS (such as gentu) and, with a pairing code or all its credentials, go live.

    Which of the two a PMS takes, and where they are found, `connections systems` says. Without them the connection
    stays a draft.
    """
    with house() as here:
        system = preview.system(pms.strip().lower())
        typed = _given(system, given)
        if typed and pairing_code is None:
            with _by_name():
                preview.checked(system.kind, typed)
        with here.store.read() as session:
            practices.get(session, practice_id)
        connection = preview.new_connection(here.engine, practice_id, system.kind, name)
        if pairing_code is not None:
            connection = _live(
                here, connection, "The code was accepted and is", partial(preview.pair, code=pairing_code)
            )
        elif typed:
            connection = _live(
                here, connection, "The credentials were accepted and are", partial(preview.connect, given=typed)
            )
        told = {"id": str(connection.id), "state": str(connection.state)}
        tell(told, as_json, lambda: [f"{connection.display_name} is connection {connection.id}, {connection.state}."])


@click.command()
@click.argument("connection_id", metavar="CONNECTION", type=IDENT)
@click.option(
    "--set", "given", multiple=True, metavar="KEY=VALUE", help="A new value; secrets only as KEY=@FILE or KEY=-."
)
@click.option("--unset", multiple=True, metavar="KEY", help="Take an optional one away.")
@json_option
def credentials(connection_id: UUID, given: tuple[str, ...], unset: tuple[str, ...], as_json: bool) -> None:
    """Change the credentials of CONNECTION, or show which are set. Values are never shown.

    What is not named stays. The PMS is asked before anything is saved, and only the same practice's are taken.
    """
    with house() as here:
        with here.store.read() as session:
            connection = connections.get(session, connection_id)
        system = preview.system(connection.pms_type)
        typed = _given(system, given, unset)
        if typed:
            with _in_words(connection), _by_name():
                connection = preview.change_credentials(here.engine, connection.practice_id, connection.id, typed)
        rows = [
            {
                "name": field.name,
                "secret": field.secret,
                "set": kept is not None,
                "endsIn": kept.tail if kept else None,
                "changedAt": instant(kept.changed_at) if kept else None,
            }
            for field, kept in preview.credentials_set(here.engine, connection.practice_id, connection.id)
        ]
    told = {"id": str(connection.id), "state": str(connection.state), "credentials": rows}
    headings = {"name": "name", "set": "set", "endsIn": "ends in", "changedAt": "changed"}
    shown = [{**row, "set": "yes" if row["set"] else "no"} for row in rows]
    none = f"{system.label} asks for no credentials."
    tell(told, as_json, lambda: table(shown, headings) if rows else [none])


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
    """Go live with a connection that was accepted before something else failed. Raises Refused."""
    with _in_words(connection):
        preview.read_catalogue(here.engine, connection.practice_id, connection.id)
    return preview.finish_pairing(here.engine, connection.practice_id, connection.id)


def _live(
    here: Parts, draft: PmsConnection, what: str, accept: Callable[[Engine, UUID, UUID], object]
) -> PmsConnection:
    """Send what was given, and go live. A refusal leaves nothing behind; what was accepted is kept.

    what: how a sentence about keeping it begins.
    """
    try:
        with _in_words(draft), _by_name():
            accept(here.engine, draft.practice_id, draft.id)
    except BaseException as error:
        if _dropped(here, draft):
            raise
        kept = f"{what} kept as connection {draft.id}; finish with: connections resume {draft.id}"
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
        system = preview.system(connection.pms_type)
        told = explain(error.reason, system.label, typed=bool(system.credentials))
        what_now = "Nothing was changed; try again in a moment." if told.heals_itself else told.who
        code = BAD_INPUT if error.reason in ("code_refused", "credentials_refused") else FAILED
        raise Refused(f"{told.happened} {what_now}", code) from error


@contextmanager
def _by_name() -> Iterator[None]:
    """A fault of a credential begins with the name it has after --set."""
    try:
        yield
    except InvalidInput as error:
        told = [f"{name}: {text}" if name not in ("", "code") else text for name, text in error.errors.items()]
        raise InvalidInput({"set": " ".join(told)}) from None


def _given(system: preview.System, given: tuple[str, ...], unset: tuple[str, ...] = ()) -> dict[str, str]:
    """Credentials by name; those to be taken away are empty.

    Raises InvalidInput: an unknown name, one given twice, a secret that stands in the open.
    """
    known = {field.name: field for field in system.credentials}
    unknown = sorted({text.partition("=")[0].strip() for text in given + unset} - known.keys())
    if unknown:
        instead = " It pairs with a code: --pairing-code." if system.pairing and not known else ""
        raise InvalidInput({"set": f"{system.label} does not take {', '.join(unknown)}.{instead}"})
    typed = pairs(given, {name for name, field in known.items() if field.secret})
    for name in unset:
        if name in typed:
            raise InvalidInput({"set": f"{name} is set and unset at once."})
        if known[name].required:
            raise InvalidInput({"set": f"{system.label} cannot do without {name}."})
    return typed | dict.fromkeys(unset, "")
