"""Queries: searches at modalities, kept with their answers while scripts look at them; forgotten with the process."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.ports.peers import Attributes

_MOST_KEPT = 100
_MOST_ANSWERS = 200_000  # of all queries that are kept, the newest apart


@dataclass(frozen=True, slots=True)
class KeptQuery:
    """One search. `overrides`: what its request wanted otherwise of the modality, by Orthanc's names."""

    modality: str
    level: Level
    keys: Attributes
    answers: Sequence[dict[str, Any]]
    overrides: Mapping[str, Any]

    def answer(self, index: int) -> dict[str, Any]:
        """One of the answers; ServerError(BAD_REQUEST), as Orthanc has it."""
        if not 0 <= index < len(self.answers):
            raise ServerError(Reason.BAD_REQUEST, f"the query has {len(self.answers)} answers, counted from 0")
        return self.answers[index]


class Queries:
    """By identifier; the oldest are forgotten when there are too many."""

    def __init__(self, most: int = _MOST_KEPT) -> None:
        self._most = most
        self._kept: dict[str, KeptQuery] = {}

    def keep(self, query: KeptQuery) -> str:
        """Keep one; its identifier."""
        query_id = str(uuid.uuid4())
        self._kept[query_id] = query
        while len(self._kept) > self._most or (len(self._kept) > 1 and self._answers() > _MOST_ANSWERS):
            del self._kept[next(iter(self._kept))]
        return query_id

    def _answers(self) -> int:
        return sum(len(query.answers) for query in self._kept.values())

    def ids(self) -> list[str]:
        """Of all, oldest first."""
        return list(self._kept)

    def named(self, query_id: str) -> KeptQuery:
        """One; ServerError(NOT_FOUND)."""
        query = self._kept.get(query_id)
        if query is None:
            raise ServerError(Reason.NOT_FOUND, "there is no such query")
        return query

    def remove(self, query_id: str) -> None:
        """Forget one; ServerError(NOT_FOUND)."""
        self.named(query_id)
        del self._kept[query_id]
