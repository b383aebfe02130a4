"""SeriesTitles: what archives name their folders after."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class SeriesTitle:
    """A series, with what people call it, its study and its patient; "" for what is absent."""

    study_uid: str
    series_uid: str
    patient_id: str
    patient_name: str
    accession_number: str
    study_description: str
    modality: str
    series_description: str


class SeriesTitles(Protocol):
    """Reads them from the index."""

    async def series_titles(self, study_uids: Sequence[str]) -> Sequence[SeriesTitle]:
        """Of all series of these studies."""
