"""`runsheet`: a verb per process and per thing an operator does. Every command takes --json.

Exit codes: 0 done, 2 bad input, 3 partial or deferred, 4 failed, cancelled or abandoned. Errors go to stderr.
"""

from __future__ import annotations

import sys

import click

from app.cli import access, connections, processes, sheet, sync
from app.cli.output import BAD_INPUT, FAILED
from app.errors import InvalidInput, NotFound, RunsheetError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Runsheet: today's telehealth appointments, fed from the practice's own system."""


for module in (access, connections, sync, sheet, processes):
    module.register(cli)


def main() -> None:
    """The console script: every fault of ours or of the input is a sentence on stderr and an exit code."""
    try:
        cli.main(standalone_mode=False)
    except click.exceptions.Exit as exit_:
        sys.exit(exit_.exit_code)
    except click.Abort:
        click.echo("Stopped.", err=True)
        sys.exit(FAILED)
    except click.ClickException as error:
        error.show()
        sys.exit(BAD_INPUT)
    except (InvalidInput, NotFound) as error:
        click.echo(str(error), err=True)
        sys.exit(BAD_INPUT)
    except RunsheetError as error:
        click.echo(str(error), err=True)
        sys.exit(FAILED)
