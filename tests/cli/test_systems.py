"""`connections systems` says of every system what `connections add` wants, and where somebody finds it."""

from __future__ import annotations

import json

import pytest

from app.cli import run
from app.pms.registry import ADAPTERS, adapter_class


def test_every_system_is_told_with_what_it_asks_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["connections", "systems"]) == 0
    told = capsys.readouterr().out
    for kind in ADAPTERS:
        cls = adapter_class(kind)
        assert f"{kind}: {cls.label}." in told
        for field in cls.credentials:
            assert f"--set {field.name}=" in told
            assert field.help in told
            assert not field.secret or f"--set {field.name}=@FILE" in told
        if cls.pairing:
            assert cls.pairing.help in told
    assert told.count("Never run against a live system.") == len(ADAPTERS)


def test_one_alone_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["connections", "systems", "EzyVet", "--json"]) == 0
    (told,) = json.loads(capsys.readouterr().out)
    assert (told["pms"], told["pairingCode"]) == ("ezyvet", None)
    named = {one["name"]: one for one in told["credentials"]}
    assert named["client_secret"]["secret"] is True
    assert named["partner_id"]["required"] is False
    assert told["evidence"]["runLive"] is False


def test_a_system_nobody_knows_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["connections", "systems", "nonesuch"]) == 2
    assert "is not a system we speak to" in capsys.readouterr().err
