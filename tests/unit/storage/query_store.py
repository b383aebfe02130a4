"""An index with made-up instances, and questions to it."""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from dicomweb_server.dicom.attributes import BY_KEYWORD, Level
from dicomweb_server.dicom.origin import Origin
from dicomweb_server.dicom.record import InstanceRecord, ParsedInstance
from dicomweb_server.dicom.search_parameters import search_request
from dicomweb_server.ports.index import NewInstance, OnDuplicate, Page
from dicomweb_server.storage import schema
from dicomweb_server.storage.additions import Addition
from dicomweb_server.storage.query_functions import values_json
from dicomweb_server.storage.query_sql import find
from dicomweb_server.storage.sqlite import Connection, Database
from dicomweb_server.storage.transaction import Transaction

Pairs = tuple[tuple[str, str], ...]
UID_TAG = {Level.PATIENT: "00100020", Level.STUDY: "0020000D", Level.SERIES: "0020000E", Level.INSTANCE: "00080018"}


@dataclass
class Made:
    """One instance: the text of its indexed attributes by keyword, and the rest of its data set."""

    texts: Mapping[str, str]
    others: Mapping[str, Any] = field(default_factory=dict)

    @property
    def values(self) -> dict[str, str]:
        return {BY_KEYWORD[keyword].column: text for keyword, text in self.texts.items() if text}

    @property
    def document(self) -> dict[str, Any]:
        found: dict[str, Any] = dict(self.others)
        for keyword, text in self.texts.items():
            attribute = BY_KEYWORD[keyword]
            if text:
                value = orjson.loads(text if attribute.vr == "SQ" else values_json(attribute.vr, text))
                found[f"{attribute.tag:08X}"] = {"vr": attribute.vr, "Value": value}
        return found


def make(study: str, series: str, instance: str, *, others: Mapping[str, Any] | None = None, **texts: str) -> Made:
    uids = {
        "StudyInstanceUID": study,
        "SeriesInstanceUID": f"{study}.{series}",
        "SOPInstanceUID": f"{study}.{series}.{instance}",
    }
    return Made({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.2", **uids, **texts}, others or {})


@contextmanager
def stored(instances: list[Made]) -> Iterator[Connection]:
    with tempfile.TemporaryDirectory() as folder:
        database = Database(Path(folder) / "index.db")
        try:
            schema.prepare(database.writing)
            transaction = Transaction(database.writing)
            with transaction.open(0.0) as opened:
                opened.add([Addition(_new(n, made), OnDuplicate.KEEP) for n, made in enumerate(instances)])
            yield database.writing
        finally:
            database.close()


def _new(number: int, made: Made) -> NewInstance:
    values = made.values
    record = InstanceRecord(
        values["study_uid"], values["series_uid"], values["instance_uid"], values["sop_class_uid"], "1.2.1", values
    )
    parsed = ParsedInstance(record, orjson.dumps(made.document), b"")
    return NewInstance(parsed, f"{number:032x}", 1, number.to_bytes(32, "big"), Origin("stow"))


def ask(connection: Connection, level: Level, pairs: Pairs = (), **parents: str) -> Page:
    return find(connection, search_request(level, pairs, **parents).query)


def objects(page: Page) -> list[dict[str, Any]]:
    return [orjson.loads(match.replace(b"\x01", b"ROOT")) for match in page.matches]


def uids(page: Page, level: Level) -> list[str]:
    return ["\\".join(found[UID_TAG[level]].get("Value", [""])) for found in objects(page)]
