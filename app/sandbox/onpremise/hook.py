"""Hangs one product on the simulators' application: the bridge, orders, and the exporter's own order."""

from __future__ import annotations

from pathlib import Path

from flask import Flask, Response

from app.sandbox.clinic.clock import ClinicClock
from app.sandbox.control.orders import done, read
from app.sandbox.onpremise import exporter, product, views
from app.sandbox.onpremise.product import Product
from app.sandbox.options import Options
from app.sandbox.stage import control
from app.sandbox.stage.cast import Setup
from app.sandbox.stage.stage import Stage, current, open_book, put_on

#: 60 a minute [assumed]; nothing is published.
LIMITS = ((60, 60.0),)


def add(product: Product, app: Flask, options: Options, clock: ClinicClock, home: Path | None) -> None:
    """Raises SettingsError for a journal that cannot be read."""
    setup = Setup(product.kind, "Banksia Street Animal Clinic", vet=True, id_of=_id_of)
    stage = Stage(
        product.kind,
        f"/{product.kind}",
        open_book(setup, options, clock, home),
        views.BridgeKnobs(limits=LIMITS),
        views.refusal,
        views.door(product),
        open_paths=frozenset({"/oauth/token"}),
        content_type="application/json;odata=minimalmetadata",
    )
    put_on(app, stage)
    app.register_blueprint(views.blueprint(product))
    orders = control.blueprint(product.kind)
    orders.add_url_rule("/export", endpoint="export", view_func=lambda: _export(product), methods=["POST"])
    app.register_blueprint(orders)


def _id_of(*names: object) -> str:
    vendor, what, *rest = names
    return product.id_of(str(vendor), str(what), *rest)


def _export(product: Product) -> Response:
    """Leave files in a folder, as they are now or spoilt in some way."""
    names = exporter.export(current(product.kind).book, product, read(exporter.Order))
    return done("Exported.", 201, names=names)
