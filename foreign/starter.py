"""A FHIR server on fhirstarter (PyPI): routes, capability statement, parameters, validation and outcomes are theirs,
the handful of records is ours. It knows no `_id`, no `_lastUpdated`, no includes and no pages, and calls itself R4B.
Run in the foreign environment; prints its address once it listens.
"""

# No `from __future__ import annotations` here: fhirstarter looks at the handlers' annotations themselves.
import asyncio
import os
import sys
import threading

os.environ["FHIR_SEQUENCE"] = "R4B"

import uvicorn
from fhir.resources.R4B.appointment import Appointment
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.patient import Patient
from fhir.resources.R4B.practitioner import Practitioner
from fhirstarter import FHIRProvider, FHIRStarter, InteractionContext
from fhirstarter.exceptions import FHIRGoneError, FHIRResourceNotFoundError

PATIENT = {
    "resourceType": "Patient",
    "id": "p-5",
    "name": [{"family": "Venn", "given": ["Orla"]}],
    "birthDate": "1979-11",
}
PRACTITIONER = {"resourceType": "Practitioner", "id": "dr-2", "name": [{"text": "Dr Teo Lindqvist"}]}


def booked(id_: str, start: str, end: str) -> dict[str, object]:
    actors = [
        {"actor": {"reference": f"{kind}"}, "status": "accepted"} for kind in ("Patient/p-5", "Practitioner/dr-2")
    ]
    return {
        "resourceType": "Appointment",
        "id": id_,
        "status": "booked",
        "start": start,
        "end": end,
        "participant": actors,
    }


APPOINTMENTS = [
    booked("ap-1", "2026-03-09T10:30:00+11:00", "2026-03-09T11:00:00+11:00"),
    booked("ap-2", "2026-03-10T10:30:00+11:00", "2026-03-10T11:00:00+11:00"),
]

provider = FHIRProvider()


def bundle(records: list[dict[str, object]]) -> Bundle:
    entries = [{"resource": one, "search": {"mode": "match"}} for one in records]
    return Bundle.model_validate(
        {"resourceType": "Bundle", "type": "searchset", "total": len(records), "entry": entries}
    )


@provider.search_type(Appointment)
async def appointments(context: InteractionContext, date: list[str] | None = None) -> Bundle:
    """It takes the parameter and does nothing with it."""
    return bundle(APPOINTMENTS)


@provider.read(Appointment)
async def appointment(context: InteractionContext, id_: str) -> Appointment:
    if id_ == "ap-0":
        raise FHIRGoneError
    for one in APPOINTMENTS:
        if one["id"] == id_:
            return Appointment.model_validate(one)
    raise FHIRResourceNotFoundError


@provider.search_type(Practitioner)
async def practitioners(context: InteractionContext, name: str | None = None) -> Bundle:
    return bundle([PRACTITIONER])


@provider.read(Patient)
async def patient(context: InteractionContext, id_: str) -> Patient:
    if id_ != PATIENT["id"]:
        raise FHIRResourceNotFoundError
    return Patient.model_validate(PATIENT)


class Server(uvicorn.Server):
    async def startup(self, sockets: object = None) -> None:
        await super().startup(sockets)
        port = self.servers[0].sockets[0].getsockname()[1]
        print(f"http://127.0.0.1:{port}", flush=True)


def main() -> None:
    app = FHIRStarter(title="Somebody else's server")
    app.add_providers(provider)
    server = Server(uvicorn.Config(app, "127.0.0.1", 0, log_level="error"))

    def until_our_input_ends() -> None:
        sys.stdin.read()
        server.should_exit = True

    threading.Thread(target=until_our_input_ends, daemon=True).start()
    asyncio.run(server.serve())


if __name__ == "__main__":
    main()
