"""What several tests of the storage have in common."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.unit.storage.promise_bench import Bench, let_it_be_late


@pytest.fixture
async def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    let_it_be_late(monkeypatch)
    made = Bench(tmp_path)
    yield made
    await made.close()
