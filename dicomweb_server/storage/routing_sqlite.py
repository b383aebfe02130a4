"""SqliteRouting: implements `ports.routing.RoutingLog` beside the jobs and the change log."""

from collections.abc import Sequence

from dicomweb_server.ports.index import Scope
from dicomweb_server.ports.routing import RoutedJob
from dicomweb_server.storage import job_rows
from dicomweb_server.storage.sqlite import Connection, Database
from dicomweb_server.storage.transaction import Transaction
from dicomweb_server.storage.writer import Writer

_STATE = "routed"
_SENDER = (
    "SELECT calling_ae_title FROM study JOIN series ON series.study = study.id "
    "JOIN instance ON instance.series = series.id JOIN origin ON origin.id = instance.origin "
    "WHERE study_uid = ?{} ORDER BY instance.received DESC LIMIT 1"
)
_SERIES, _INSTANCE = " AND series_uid = ?", " AND instance_uid = ?"


class SqliteRouting:
    """Reads in reader threads; writes by the one writer."""

    def __init__(self, database: Database, writer: Writer) -> None:
        """Both belong to the store that made them."""
        self._database = database
        self._writer = writer

    async def routed(self) -> int | None:
        """From the facts about the whole."""
        return await self._database.read(_routed)

    async def route(self, until: int | None, jobs: Sequence[RoutedJob] = ()) -> Sequence[str]:
        """All or nothing."""
        return await self._writer.change(lambda transaction: _route(transaction, until, jobs))

    async def senders(self, scopes: Sequence[Scope]) -> Sequence[str]:
        """One look for each."""
        return await self._database.read(lambda connection: [_sender(connection, scope) for scope in scopes])


def _routed(connection: Connection) -> int | None:
    row = connection.execute("SELECT value FROM state WHERE name = ?", (_STATE,)).fetchone()
    return int(row[0]) if row and row[0] else None


def _route(transaction: Transaction, until: int | None, jobs: Sequence[RoutedJob]) -> list[str]:
    transaction.set_state(_STATE, "" if until is None else str(until))
    return [_put(transaction.connection, routed) for routed in jobs]


def _put(connection: Connection, routed: RoutedJob) -> str:
    earlier = job_rows.get(connection, routed.earlier) if routed.earlier else None
    joined = routed.joined_to(earlier) if earlier else None
    if joined is None:
        job_rows.insert(connection, routed.job)
        return routed.job.id
    job_rows.extend(connection, joined)
    return joined.id


def _sender(connection: Connection, scope: Scope) -> str:
    condition = (_SERIES if scope.series_uid else "") + (_INSTANCE if scope.instance_uid else "")
    uids = [uid for uid in (scope.study_uid, scope.series_uid, scope.instance_uid) if uid]
    row = connection.execute(_SENDER.format(condition), uids).fetchone()
    return str(row[0]) if row else ""
