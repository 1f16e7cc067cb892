"""Files into a patient's record: the one thing this product lets an app write."""

from __future__ import annotations

from datetime import timedelta

from flask import Blueprint, Response, request

from app.sandbox.gentu import BASE
from app.sandbox.gentu.access import open_practice
from app.sandbox.gentu.attachments import CATEGORIES, LARGEST, TYPES
from app.sandbox.gentu.dates import read
from app.sandbox.gentu.replies import Refused, answer, bad_request, message
from app.sandbox.state import current

bp = Blueprint("gentu_writeback", __name__, url_prefix=f"{BASE}/tenants/<tenant_id>/patients/<patient_id>/attachments")


@bp.put("")
def put(tenant_id: str, patient_id: str) -> Response:
    """Take the raw body in; whether it arrives in the record shows later."""
    sandbox = current()
    name = request.args.get("fileName", "")
    content = request.get_data()
    with sandbox.world.lock:
        practice = open_practice(tenant_id)
        if patient_id not in practice.patients:
            return message("There is no such patient.", 404)
        if request.args.get("practitionerId") not in practice.practitioners:
            raise bad_request("practitionerId is required and must be one of this practice.")
        at = sandbox.world.clock.now()
    _check(name, content)
    if (set_date := request.args.get("setDate")) is not None and abs(
        read("setDate", set_date, sandbox.traffic) - at
    ) > timedelta(days=30):
        raise bad_request("setDate must lie within 30 days.")
    attachment_id = sandbox.attachments.take(tenant_id, patient_id, name, content, at)
    return answer({"message": "Accepted.", "attachmentId": attachment_id})


@bp.get("/<attachment_id>")
def get(tenant_id: str, patient_id: str, attachment_id: str) -> Response:
    sandbox = current()
    with sandbox.world.lock:
        open_practice(tenant_id)
    knobs = sandbox.knobs
    found = sandbox.attachments.describe(
        tenant_id,
        patient_id,
        attachment_id,
        sandbox.world.clock.now(),
        knobs.attachment_step_s,
        knobs.attachment_outcome,
    )
    return answer(found) if found else message("There is no such attachment.", 404)


def _check(name: str, content: bytes) -> None:
    stem, _, extension = name.rpartition(".")
    if not stem:
        raise bad_request("fileName is required, with its extension.")
    if extension.lower() not in TYPES:
        raise Refused(message("PDF, JPEG, PNG, TIFF and MP4 only.", 415))
    category = request.args.get("category")
    if category is not None and category not in CATEGORIES:
        raise bad_request(f"category is one of {', '.join(CATEGORIES)}.")
    if not content:
        raise bad_request("The file is empty.")
    if len(content) > LARGEST:
        raise Refused(message("A file may hold 4 MB.", 413))
