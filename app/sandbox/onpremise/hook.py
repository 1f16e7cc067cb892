"""Hangs one product on the simulators' application: the bridge, orders, and the exporter's own order."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from flask import Flask, Response, request
from msgspec import Struct

from app.errors import InvalidInput
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
    keeping = Keeping(product)
    orders.add_url_rule("/exports", endpoint="exports", view_func=keeping.change, methods=["POST"])
    orders.after_request(keeping.after)
    app.register_blueprint(orders)


class Wanted(Struct, forbid_unknown_fields=True):
    """`folder` None: nowhere any more. back, ahead: as of an export."""

    folder: str | None = None
    back: int = 7
    ahead: int = 14


class Keeping:
    """An exporter that runs after every order, as one that is scheduled often would."""

    def __init__(self, product: Product) -> None:
        self._product = product
        self._wanted = Wanted()

    def change(self) -> Response:
        """Raises InvalidInput for a folder that is not prepared."""
        wanted = read(Wanted)
        self._export(wanted)
        self._wanted = wanted
        return done("Files are left there after every order." if wanted.folder else "No further files are left.")

    def after(self, response: Response) -> Response:
        if request.path.endswith("/reset"):
            self._wanted = Wanted()
        asks_for_files = request.path.endswith(("/export", "/exports"))
        if request.method == "POST" and response.status_code < 400 and not asks_for_files:
            with suppress(InvalidInput):  # somebody has taken the folder away
                self._export(self._wanted)
        return response

    def _export(self, wanted: Wanted) -> None:
        if wanted.folder is not None:
            order = exporter.Order(folder=wanted.folder, back=wanted.back, ahead=wanted.ahead)
            exporter.export(current(self._product.kind).book, self._product, order)


def _id_of(*names: object) -> str:
    vendor, what, *rest = names
    return product.id_of(str(vendor), str(what), *rest)


def _export(product: Product) -> Response:
    """Leave files in a folder, as they are now or spoilt in some way."""
    names = exporter.export(current(product.kind).book, product, read(exporter.Order))
    return done("Exported.", 201, names=names)
