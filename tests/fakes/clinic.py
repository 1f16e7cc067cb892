"""A clinic that keeps cases: a furnished practice of which every appointment counts, and its notes can be looked at."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import delete, select, text

from app.domain.consultation import Consultation
from app.pms.port import Capabilities
from app.store import case_words, cases, connections, consultations
from app.store.models import Case, CaseConsultation
from app.sync.run import SyncResult
from app.sync.tally import Tally
from tests.fakes.house import ALL_PHASES, House

FULL = (*ALL_PHASES, "enrichment")


class Clinic(House):
    """`clinic.sync()` runs all three phases."""

    def ask(self, *days: Any, **more: Any) -> Any:
        return super().ask(*days, **({"phases": FULL} | more))

    @classmethod
    def of(cls, house: House) -> Clinic:
        house.pms.capabilities = Capabilities(consultations=True)
        made = cls(**{name: getattr(house, name) for name in house.__dataclass_fields__})
        made.set(keeps_cases=True, sync_telehealth_only=False)
        return made

    def set(self, **columns: Any) -> None:
        with self.store.write() as session:
            connection = connections.get(session, self.connection_id)
            for name, value in columns.items():
                setattr(connection, name, value)

    def cases(self) -> dict[str, Case]:
        with self.store.read() as session:
            found = session.scalars(select(Case).where(Case.pms_connection_id == self.connection_id))
            return {one.external_id: one for one in found}

    def facts(self, id_: str) -> cases.CaseFacts:
        with self.store.read() as session:
            return cases.one_of_practice(session, self.practice_id, self.cases()[id_].id)

    def notes(self, id_: str) -> Consultation | None:
        """What is sealed, whoever asks."""
        with self.store.read() as session:
            return consultations.opened(session, self.vault, self.practice_id, self.cases()[id_].id)

    def sealed(self) -> dict[UUID, str]:
        with self.store.read() as session:
            return {one.case_id: one.content for one in session.scalars(select(CaseConsultation))}

    def forgets_its_cases(self) -> None:
        with self.store.write() as session:
            mine = select(Case.id).where(Case.pms_connection_id == self.connection_id)
            session.execute(delete(CaseConsultation).where(CaseConsultation.case_id.in_(mine)))
            session.execute(delete(Case).where(Case.pms_connection_id == self.connection_id))

    def states(self) -> dict[str, str]:
        return {id_: one.enrichment_state for id_, one in self.cases().items()}

    def maps(self, kind: case_words.WordKind, word: str, value: str | None) -> int:
        self.clock.forward(1)
        with self.store.write() as session:
            connection = connections.get(session, self.connection_id)
            return case_words.put(session, connection, kind, word, value, self.clock.at)

    def everything(self) -> bytes:
        """Every value of every row of the database, for words that must be nowhere in it."""
        with self.store.read() as session:
            names = sorted(Case.metadata.tables)
            rows = [str(session.execute(text(f'SELECT * FROM "{name}"')).all()) for name in names]
        return "\n".join(rows).encode()


def enrichment_of(result: SyncResult) -> Tally:
    return next(tally for tally in result.tallies if tally.phase == "enrichment")


def counts(tally: Tally) -> tuple[int, int, int, dict[str, int]]:
    return tally.created, tally.updated, tally.unchanged, dict(tally.skipped)
