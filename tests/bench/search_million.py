"""Search in 1,000,000 instances of 20,000 studies while more are being stored; each scenario has to keep p95 < 50 ms.

    python -m tests.bench.search_million [--studies N] [--instances N] [--seconds S] [--clients N] [--data DIR]

Rows are made through the index port, without files. With --data the store is kept, and used again if it is there.
"""

import argparse
import asyncio
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.dicom.instance import parse_instance
from dicomweb_server.dicom.origin import Origin
from dicomweb_server.dicom.record import InstanceRecord, ParsedInstance
from dicomweb_server.dicom.search_parameters import search_request
from dicomweb_server.ports.index import NewInstance, OnDuplicate
from dicomweb_server.services.search import SearchService
from dicomweb_server.storage.store import Store
from dicomweb_server.wire.query_string import parse_query_string
from tests.builders import make_instance

_BAR = 0.050
_ROOT = "1.2.826.0.1.3680043.10.1111.4"
_FAMILIES = ["Smith", "Dupont", "Müller", "Nakamura", "Okafor", "Silva", "Ivanova", "Chen", "Haddad", "Larsen"]
_GIVEN = ["Anna", "Bruno", "Chloe", "David", "Emma", "Farid", "Grace", "Hugo", "Ines", "Jonas"]


@dataclass(frozen=True, slots=True)
class Scenario:
    """Requests of one kind, of which a random one is asked each time."""

    name: str
    level: Level
    queries: Sequence[str]
    study: bool = False  # below a study of the store


def scenarios() -> list[Scenario]:
    dates = [
        f"StudyDate=20{year}0301-20{year}0430&ModalitiesInStudy=CT&limit=50&offset={offset}"
        for year in range(10, 26)
        for offset in (0, 50)
    ]
    studies = {
        "patient_id": [f"PatientID=PID4{n:06d}" for n in range(0, 20000, 97)],
        "name_prefix": [f"PatientName=Smith{n:03d}*&limit=25" for n in range(0, 200, 3)],
        "date_range_page": dates,
        "worklist_first_page": ["limit=101&offset=0&fuzzymatching=false&includefield=00081030%2C00080060"],
        "worklist_last_page": ["limit=101&offset=19800"],
        "name_substring": [f"PatientName=*0{n:02d}^A*&limit=25" for n in range(0, 100, 7)],
        "name_fuzzy": [f"PatientName=smith{n:03d}&fuzzymatching=true&limit=101" for n in range(0, 200, 3)],
        "description_substring": ["StudyDescription=*BRAIN*&limit=101"],
        "modality": ["Modality=MR&limit=101"],
    }
    found = [Scenario(f"studies by {name}", Level.STUDY, queries) for name, queries in studies.items()]
    found.append(Scenario("series of a study", Level.SERIES, ["includefield=0008103E"], study=True))
    found.append(Scenario("instances of a study", Level.INSTANCE, [""], study=True))
    found.append(Scenario("series of all studies", Level.SERIES, ["Modality=MR&limit=101"]))
    found.append(Scenario("instances of all studies", Level.INSTANCE, ["limit=101"]))
    uids = [f"SOPInstanceUID={_ROOT}.{n}.1.7" for n in range(1, 20000, 97)]
    found.append(Scenario("instance by UID", Level.INSTANCE, uids))
    return found


class Maker:
    """Makes instances with the metadata of a real header."""

    def __init__(self) -> None:
        data = make_instance(SOPInstanceUID="9.9.9", InstanceNumber=987654, SliceThickness="1.5", KVP="120")
        self._metadata = parse_instance(data).metadata

    def study(self, number: int, first: int, count: int) -> Iterator[NewInstance]:
        """Some instances of a study."""
        rng = random.Random(number)
        day = f"20{rng.randint(10, 25):02d}{rng.randint(1, 12):02d}{rng.randint(1, 28):02d}"
        study = f"{_ROOT}.{number + 1}"
        values = {
            "study_uid": study,
            "series_uid": f"{study}.1",
            "sop_class_uid": "1.2.840.10008.5.1.4.1.1.2",
            "study_date": day,
            "study_time": "101010.000000",
            "accession_number": f"ACC4{number:06d}",
            "modality": rng.choice(["CT", "CT", "MR"]),
            "study_description": rng.choice(["CT THORAX", "CT ABDOMEN", "MR BRAIN", "CT SINUS"]),
            "series_description": "AX 1.0 B70f",
            "patient_name": f"{rng.choice(_FAMILIES)}{number:05d}^{rng.choice(_GIVEN)}",
            "patient_id": f"PID4{number:06d}",
            "patient_birth_date": "19600101",
            "patient_sex": rng.choice("MF"),
            "study_id": str(number),
            "series_number": "2",
            "rows": "512",
            "columns": "512",
            "bits_allocated": "16",
        }
        for n in range(first, first + count):
            uid = f"{study}.1.{n + 1}"
            own = values | {"instance_uid": uid, "instance_number": str(n + 1)}
            metadata = self._metadata.replace(b"9.9.9", uid.encode()).replace(b"987654", b"%d" % (n + 1))
            record = InstanceRecord(study, f"{study}.1", uid, own["sop_class_uid"], "1.2.840.10008.1.2.1", own)
            digest = (number << 64 | n).to_bytes(32, "big")
            parsed = ParsedInstance(record, metadata, b"")
            yield NewInstance(parsed, digest[-16:].hex(), 524_288, digest, Origin("import"))


async def fill(store: Store, maker: Maker, studies: int, per_study: int) -> None:
    """Make all instances, unless they are there."""
    if (await store.index.counts())["instances"] >= studies * per_study:
        return
    started = time.perf_counter()
    batch: list[NewInstance] = []
    for number in range(studies):
        batch.extend(maker.study(number, 0, per_study))
        if len(batch) >= 2000 or number == studies - 1:
            await store.index.add(batch, OnDuplicate.KEEP)
            batch = []
            done = (number + 1) * per_study
            print(f"\r{done:,} instances, {done / (time.perf_counter() - started):,.0f}/s ", end="", flush=True)
    print()


class Storing:
    """Stores instances all the time, ten in each request, as a busy modality would."""

    def __init__(self, store: Store, maker: Maker, first: int) -> None:
        self.stored = 0
        self._store = store
        self._maker = maker
        self._first = first

    async def run(self) -> None:
        for number in range(self._first, self._first + 10**6):
            for first in range(0, 100, 10):
                await self._store.index.add(list(self._maker.study(number, first, 10)), OnDuplicate.KEEP)
                self.stored += 10


async def measure(search: SearchService, scenario: Scenario, arguments: argparse.Namespace) -> list[float]:
    """How long requests take, with some clients at once, each of which asks as soon as it is answered."""
    rng = random.Random(7)
    times: list[float] = []
    end = time.perf_counter() + arguments.seconds

    async def client() -> None:
        while time.perf_counter() < end:
            study = f"{_ROOT}.{rng.randrange(arguments.studies) + 1}" if scenario.study else None
            started = time.perf_counter()
            pairs = parse_query_string(rng.choice(scenario.queries).encode())
            await search.find(search_request(scenario.level, pairs, study).query, most=1000)
            times.append(time.perf_counter() - started)

    await asyncio.gather(*(client() for _ in range(arguments.clients)))
    return sorted(times)


async def run(arguments: argparse.Namespace, folder: Path) -> bool:
    store = Store(folder)
    maker, search = Maker(), SearchService(store.index)
    await fill(store, maker, arguments.studies, arguments.instances // arguments.studies)
    storing = Storing(store, maker, arguments.studies + int(time.time()) % 10**8)
    task = asyncio.create_task(storing.run())
    is_met = True
    print(f"{'':36}{'p50 ms':>9}{'p95 ms':>9}{'1/s':>9}{'stored/s':>10}")
    for scenario in scenarios():
        before = storing.stored
        times = await measure(search, scenario, arguments)
        p50, p95 = statistics.median(times), times[int(len(times) * 0.95)]
        is_met &= p95 < _BAR
        rates = f"{len(times) / arguments.seconds:9,.0f}{(storing.stored - before) / arguments.seconds:10,.0f}"
        print(f"{scenario.name:36}{p50 * 1000:9.2f}{p95 * 1000:9.2f}{rates}{'' if p95 < _BAR else '  over the bar'}")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await store.close()
    return is_met


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=20_000)
    parser.add_argument("--instances", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--clients", type=int, default=2)
    parser.add_argument("--data", type=Path)
    arguments = parser.parse_args()
    if arguments.data is not None:
        return 0 if asyncio.run(run(arguments, arguments.data)) else 1
    with tempfile.TemporaryDirectory() as folder:
        return 0 if asyncio.run(run(arguments, Path(folder))) else 1


if __name__ == "__main__":
    sys.exit(main())
