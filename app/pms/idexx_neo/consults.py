"""Consultations, one by one: Neo has no question for several. At most two at a time, a fifth of a second apart.

35 at once made every one of them fail (seen in code: odis/sync); the figures are public code's own (odis/lib).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from zoneinfo import ZoneInfo

from app import clock
from app.domain.consultation import Consultation, ConsultationRef, Consulted
from app.pms import rows
from app.pms.errors import PmsBadRequest, PmsForbidden, PmsMalformed, PmsNotFound
from app.pms.http import segment
from app.pms.idexx_neo import notes, wire
from app.pms.idexx_neo.coerce import ident
from app.pms.rows import RowFault

log = logging.getLogger(__name__)

_AT_ONCE, _APART_S = 2, 0.2
#: What befalls one and says nothing about the next. Everything else ends the asking.
_PASSING = (PmsForbidden, PmsNotFound, PmsBadRequest, PmsMalformed)

#: (path, route) -> JSON.
Ask = Callable[[str, str], bytes]


class Consults:
    """One run's consultations."""

    def __init__(self, ask: Ask, zone: ZoneInfo, sleep: Callable[[float], None] | None) -> None:
        self._ask = ask
        self._zone = zone
        self._sleep = sleep or clock.sleep
        self._turn = threading.Lock()
        self._last = 0.0
        self._told_of_vitals = False

    def of(self, wanted: Sequence[ConsultationRef]) -> Iterator[Consulted]:
        """One answer for each wanted, in order. An appointment that names none has none yet: nothing is guessed.

        Raises a PmsError no further call would mend; those asked for before it have been answered.
        """
        named = [ref for ref in wanted if ref.consultation_id]
        yield from (Consulted(ref, None, "none_yet") for ref in wanted if not ref.consultation_id)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for start in range(0, len(named), _AT_ONCE):
                asked = [pool.submit(self._one, ref) for ref in named[start : start + _AT_ONCE]]
                for one in asked:
                    yield one.result()

    def _one(self, ref: ConsultationRef) -> Consulted:
        self._wait()
        try:
            id_ = segment(ref.consultation_id or "")
            return Consulted(ref, self._read(ref, self._ask(f"/consultations/{id_}/page-data", "/consultations/{id}")))
        except _PASSING as error:
            return Consulted(ref, None, error.reason)
        except RowFault:
            return Consulted(ref, None, "bad_envelope")

    def _read(self, ref: ConsultationRef, body: bytes) -> Consultation:
        """Raises PmsMalformed where a part that makes it valid is missing, or where it is another animal's: notes must
        never land on somebody else's visit.
        """
        told, _ = rows.envelope(wire.consulted, body)
        animal = ident(told.patient.id, "$.patient.id")
        if ref.patient_id and animal and animal != ref.patient_id:
            raise PmsMalformed("the consultation is another patient's", path="$.patient.id")
        found, readable = notes.consultation(told, ref, self._zone)
        if not readable and not self._told_of_vitals:
            self._told_of_vitals = True
            log.warning("IDEXX Neo tells vital signs in a shape we do not know")
        return found

    def _wait(self) -> None:
        with self._turn:
            wait = self._last + _APART_S - clock.monotonic()
            if wait > 0:
                self._sleep(wait)
            self._last = clock.monotonic()
