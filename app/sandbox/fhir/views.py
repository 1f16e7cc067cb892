"""Reading and searching. pms/fhir-r4.md §2 and §5."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta

from flask import Blueprint, Response, request

from app import clock
from app.errors import NotFound
from app.sandbox.fhir import BASE, door, statement
from app.sandbox.fhir.bundles import Results, Snapshots, bundle
from app.sandbox.fhir.door import KIND, knobs_of
from app.sandbox.fhir.matching import BadValue, meets, stretch
from app.sandbox.fhir.replies import Refused, answer, refusal
from app.sandbox.fhir.replies import resource as one_resource
from app.sandbox.fhir.statement import INCLUDES, PARAMS, params_of
from app.sandbox.fhir.wire import Resource, Writer
from app.sandbox.stage.stage import Stage, current

bp = Blueprint("fhir", __name__, url_prefix=BASE)
snapshots = Snapshots()

#: Of any search, beside its parameters.
_OF_RESULTS = frozenset({"_count", "_include", "_format", "_sort", "_total", "_summary", "_pretty"})
_USUAL_COUNT = 20
#: A search without a date looks at appointments this many days around today.
_AROUND = timedelta(days=45)
_ACTORS = ("patient", "practitioner", "location")

bp.add_url_rule("/metadata", view_func=statement.capability, endpoint="metadata")
bp.add_url_rule("/.well-known/smart-configuration", view_func=door.configuration, endpoint="smart")
bp.add_url_rule(door.TOKEN, view_func=door.token, endpoint="token", methods=["POST"])
bp.register_error_handler(Refused, lambda refused: refused.response)


_KINDS = f"<any({','.join(PARAMS)}):kind>"


@bp.get(f"/{_KINDS}")
def search(kind: str) -> Response:
    token = request.args.get("_page")
    if token is not None:
        return _another_page(kind, token)
    return _search(kind, [*request.args.items(multi=True)])


@bp.post(f"/{_KINDS}/_search")
def search_by_form(kind: str) -> Response:
    if request.mimetype != "application/x-www-form-urlencoded":
        return refusal(415, "A search is posted form-encoded.")
    return _search(kind, [*request.args.items(multi=True), *request.form.items(multi=True)])


@bp.get(f"/{_KINDS}/<id_>")
def read(kind: str, id_: str) -> Response:
    stage = current(KIND)
    with stage.book.lock:
        _there(stage, kind)
        writer = _writer(stage)
        if kind == "Appointment":
            try:
                return one_resource(writer.appointment(stage.book.visit(id_)))
            except NotFound:
                gone = any(one.id == id_ for one in stage.book.between(*_around(stage), deleted=True))
                return refusal(410, "It was deleted.") if gone else refusal(404, "There is no such appointment.")
        found = next((one for one in _everything(stage, writer, kind) if one["id"] == id_), None)
    return one_resource(found) if found is not None else refusal(404, f"There is no such {kind}.")


# --- searching --------------------------------------------------------------------------------------------------------


def _search(kind: str, asked: list[tuple[str, str]]) -> Response:
    stage = current(KIND)
    knobs = knobs_of(stage)
    _there(stage, kind)
    if kind in knobs.read_only:
        raise Refused(refusal(405, f"{kind} is not to be searched."))
    offered = params_of(kind, knobs)
    unknown = [name for name, _ in asked if name not in offered and name not in _OF_RESULTS]
    if unknown and "handling=strict" in request.headers.get("Prefer", ""):
        raise Refused(refusal(400, f"Unknown search parameters: {', '.join(unknown)}", "not-supported"))
    if kind == "Appointment" and knobs.needs_person:
        _names_one_person(asked)
    known = [(name, value) for name, value in asked if name in offered and name not in knobs.ignores]
    with stage.book.lock:
        try:
            rows = list(_found(stage, kind, known, offered))
        except BadValue as error:
            raise Refused(refusal(400, str(error), "value")) from None
        results = Results(
            kind,
            _self_address(kind, asked, known),
            rows,
            tuple(value for name, value in asked if name == "_include") if knobs.includes else (),
            _count(asked, knobs.page_cap),
            tuple(f"The parameter {name} is not supported and was ignored." for name in unknown),
            clock.now().timestamp() + knobs.page_ttl_s,
        )
        if ("_summary", "count") in asked or results.count == 0:
            return answer({"resourceType": "Bundle", "type": "searchset", "total": len(rows)})
        return _page(stage, results, 0, snapshots.keep(results) if len(rows) > results.count else None)


def _another_page(kind: str, token: str) -> Response:
    """A token is good for a while; after that its search is gone."""
    stage, start = current(KIND), request.args.get("_from", "0")
    results = snapshots.get(token)
    if results is None or results.resource != kind or not start.isdigit():
        return refusal(410, "These search results are no longer kept. Search again.", "processing")
    with stage.book.lock:
        return _page(stage, results, int(start), token)


def _page(stage: Stage, results: Results, start: int, token: str | None) -> Response:
    matches = results.matches[start : start + results.count]
    along = list(_brought_along(stage, matches, results.includes))
    return answer(bundle(results, start, token, along, _base(), knobs_of(stage)))


def _found(stage: Stage, kind: str, known: list[tuple[str, str]], offered: dict[str, str]) -> Iterator[Resource]:
    """A record somebody has spoilt is found by what the clinic holds: a search does not read it again."""
    writer, zone = _writer(stage), stage.book.zone
    rows: Iterable[tuple[Resource, Resource]]
    if kind == "Appointment":
        visits = stage.book.between(*_asked_for(stage, [value for name, value in known if name == "date"]))
        rows = ((writer.appointment(one), writer.unspoilt(one)) for one in visits)
    else:
        rows = ((one, one) for one in _everything(stage, writer, kind))
    for row, held in rows:
        if all(meets(held, name, offered[name], value, zone) for name, value in known):
            yield row


def _asked_for(stage: Stage, dates: list[str]) -> tuple[datetime, datetime]:
    """The widest stretch that these dates can mean together; a side nobody names is some weeks away."""
    starts, ends = [], []
    for value in dates:
        prefix = value[:2] if value[:2].isalpha() else "eq"
        if "," in value or prefix == "ne":
            continue
        one = stretch(value.removeprefix(prefix), stage.book.zone)
        starts += [one.start] if prefix in ("eq", "ap", "ge", "gt", "sa") else []
        ends += [one.end] if prefix in ("eq", "ap", "le", "lt", "eb") else []
    if not starts and not ends:
        return _around(stage)
    first = max(starts) if starts else min(ends) - 2 * _AROUND
    return first, min(ends) if ends else first + 2 * _AROUND


def _everything(stage: Stage, writer: Writer, kind: str) -> Iterable[Resource]:
    book = stage.book
    makers: dict[str, Callable[[], Iterable[Resource]]] = {
        "Patient": lambda: map(writer.patient, book.patients.values()),
        "Practitioner": lambda: map(writer.practitioner, book.people.values()),
        "PractitionerRole": lambda: map(writer.role, book.people.values()),
        "Schedule": lambda: (writer.schedule(one) for one in book.people.values() if one.active),
        "HealthcareService": lambda: map(writer.service, book.kinds.values()),
        "Location": lambda: map(writer.location, book.places.values()),
        "Organization": lambda: [writer.organization()],
    }
    return makers[kind]()


def _brought_along(stage: Stage, matches: list[Resource], includes: tuple[str, ...]) -> Iterator[Resource]:
    """Each once, on every page that refers to it."""
    writer, wanted = _writer(stage), set[tuple[str, str]]()
    for row in matches:
        for name in includes:
            kind = {"patient": "Patient", "practitioner": "Practitioner", "location": "Location"}
            what = kind.get(name.partition(":")[2])
            if what is None or name not in INCLUDES.get(str(row["resourceType"]), ()):
                continue
            for reference in _references_of(row):
                parts = reference.partition("/_history/")[0].split("/")
                if parts[-2:-1] == [what]:
                    wanted.add((what, parts[-1]))
    for what in sorted({what for what, _ in wanted}):
        for one in _everything(stage, writer, what):
            if (what, str(one["id"])) in wanted:
                yield one


def _references_of(row: Resource) -> list[str]:
    if row["resourceType"] == "PractitionerRole":
        return [row["practitioner"]["reference"]]  # type: ignore[index]
    taking_part: list[dict[str, dict[str, str]]] = row.get("participant", [])  # type: ignore[assignment]
    return [one["actor"]["reference"] for one in taking_part if "reference" in one.get("actor", {})]


def _names_one_person(asked: list[tuple[str, str]]) -> None:
    """Oracle's rule: `_id`, or exactly one kind of actor once, and the date."""
    named = [name for name, _ in asked if name in _ACTORS]
    dated = [name for name, _ in asked if name == "date"]
    if not any(name == "_id" for name, _ in asked) and (len(named) != 1 or not 1 <= len(dated) <= 2):
        raise Refused(refusal(400, "Name a patient, a practitioner or a location, and a date.", "required"))


def _count(asked: list[tuple[str, str]], cap: int) -> int:
    said = [value for name, value in asked if name == "_count"]
    if said and not said[-1].isdigit():
        raise Refused(refusal(400, "_count is a number.", "value"))
    return min(int(said[-1]) if said else _USUAL_COUNT, cap)


def _self_address(kind: str, asked: list[tuple[str, str]], known: list[tuple[str, str]]) -> str:
    """What the server has understood of the question."""
    kept = [*known, *((name, value) for name, value in asked if name in _OF_RESULTS)]
    return f"{_base()}/{kind}?" + "&".join(f"{name}={value}" for name, value in kept)


def _there(stage: Stage, kind: str) -> None:
    if kind in knobs_of(stage).without:
        raise Refused(refusal(404, f"This server has no {kind}.", "not-supported"))


def _writer(stage: Stage) -> Writer:
    return Writer(stage.book, knobs_of(stage), _base())


def _base() -> str:
    return f"{request.host_url.rstrip('/')}{BASE}"


def _around(stage: Stage) -> tuple[datetime, datetime]:
    now = stage.book.clock.now().astimezone(UTC)
    return now - _AROUND, now + _AROUND
