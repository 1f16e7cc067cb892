"""`connections systems`: which systems there are, what each asks for and where to find it, drawn from the adapters."""

from __future__ import annotations

from typing import Any

import click

from app.cli.output import json_option, tell
from app.sync import preview


@click.command()
@click.argument("pms", required=False)
@json_option
def systems(pms: str | None, as_json: bool) -> None:
    """The systems a practice can connect, or PMS alone: what `connections add` takes, and where each value is found."""
    found = [preview.system(pms.strip().lower())] if pms else preview.systems()
    told = [_told(one) for one in found]
    tell(told, as_json, lambda: [line for one in found for line in _lines(one)])


def _told(one: preview.System) -> dict[str, Any]:
    return {
        "pms": one.kind,
        "name": one.label,
        "pairingCode": one.pairing.help if one.pairing else None,
        "credentials": [
            {
                "name": field.name,
                "label": field.label,
                "help": field.help,
                "secret": field.secret,
                "required": field.required,
                "choices": [value for value, _ in field.choices],
            }
            for field in one.credentials
        ],
        "offers": one.offers,
        "evidence": {
            "documented": one.evidence.documented,
            "seenInCode": one.evidence.seen_in_code,
            "ours": one.evidence.ours,
            "runLive": one.evidence.run_live,
        },
    }


def _lines(one: preview.System) -> list[str]:
    lines = [f"{one.kind}: {one.label}. {one.offers}"]
    if one.pairing:
        lines.append(f"  --pairing-code CODE  {one.pairing.help}")
    for field in one.credentials:
        value = "@FILE" if field.secret else "|".join(value for value, _ in field.choices) or "VALUE"
        may = "" if field.required else " Optional."
        lines.append(f"  --set {field.name}={value}  {field.label}: {field.help}{may}")
    if not one.evidence.run_live:
        lines.append("  Never run against a live system.")
    return [*lines, ""]
