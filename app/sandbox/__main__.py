"""`python -m app.sandbox`: the simulators by themselves."""

from __future__ import annotations

from pathlib import Path

import click

from app.errors import SettingsError
from app.sandbox.options import CLINICS, Options
from app.sandbox.server import serve

_DEFAULT = Options()


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="A loopback address.")
@click.option("--port", default=5051, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free port.")
@click.option("--home", type=click.Path(path_type=Path), help="Keep edits in HOME/sandbox; in memory without it.")
@click.option("--clinic", default="demo", show_default=True, type=click.Choice(CLINICS))
@click.option("--tenants", default=1, show_default=True, type=click.IntRange(1), help="How many practices exist.")
@click.option("--practitioners", default=20, show_default=True, type=click.IntRange(1), help="Size of the big clinic.")
@click.option("--per-day", default=20, show_default=True, type=click.IntRange(1, 1440), help="Likewise, for each.")
@click.option("--seed", default=_DEFAULT.seed, show_default=True)
@click.option("--moving/--still", default=None, help="Whether the day moves with the clock; the demo does.")
@click.option("--paired", is_flag=True, help="Every practice is paired from the start.")
@click.option("--token-ttl", default=_DEFAULT.token_ttl_s, show_default=True, type=float, help="Seconds.")
@click.option("--rate-limit", type=click.IntRange(1), help="Requests per minute before 429; unlimited without it.")
@click.option("--app-id", default=_DEFAULT.app_id, show_default=True)
@click.option("--client-id", default=_DEFAULT.client_id, show_default=True)
@click.option("--client-secret", default=_DEFAULT.client_secret, help="Opens nothing but this simulator.")
@click.option("--ready-file", type=click.Path(path_type=Path), help="Gets the addresses as JSON once it serves.")
@click.option("--watch-stdin", is_flag=True, help="End when standard input ends.")
def main(
    host: str,
    port: int,
    home: Path | None,
    ready_file: Path | None,
    watch_stdin: bool,
    token_ttl: float,
    rate_limit: int | None,
    **chosen: object,
) -> None:
    """Serve the simulated practice management systems on this machine. Every patient in them is invented."""
    options = Options(token_ttl_s=token_ttl, rate_limit_per_minute=rate_limit, **chosen)  # type: ignore[arg-type]
    try:
        serve(host, port, home, options=options, ready_file=ready_file, watch_stdin=watch_stdin)
    except (SettingsError, OSError) as error:
        raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    main()
