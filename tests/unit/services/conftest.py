"""What several tests of the services have in common."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dicomweb_server.storage import blobs_filesystem
from tests.stored import violations
from tests.unit.services.ingest_bench import Bench


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    made = Bench(tmp_path)
    yield made
    await made.close()
    assert violations(tmp_path) == []
    assert made.store.blobs._spool._free == blobs_filesystem.MEMORY_BUDGET
