"""SqliteTitles: implements `ports.archives.SeriesTitles` on the index."""

from collections.abc import Sequence

import orjson

from dicomweb_server.ports.archives import SeriesTitle
from dicomweb_server.storage.sqlite import Connection, Database

_TITLES = (
    "SELECT study_uid, series_uid, coalesce(patient_id, ''), coalesce(patient_name, ''), "
    "coalesce(accession_number, ''), coalesce(study_description, ''), coalesce(modality, ''), "
    "coalesce(series_description, '') "
    "FROM study JOIN series ON series.study = study.id WHERE study_uid IN (SELECT value FROM json_each(?))"
)


class SqliteTitles:
    """Reads in reader threads."""

    def __init__(self, database: Database) -> None:
        """The database belongs to the store that made it."""
        self._database = database

    async def series_titles(self, study_uids: Sequence[str]) -> Sequence[SeriesTitle]:
        """Of all series of these studies."""
        listed = orjson.dumps(list(study_uids)).decode()
        return await self._database.read(lambda connection: _titles(connection, listed))


def _titles(connection: Connection, study_uids: str) -> list[SeriesTitle]:
    return [SeriesTitle(*row) for row in connection.execute(_TITLES, (study_uids,))]
