"""Files that are made later: when, in which order, and what becomes of those that cannot be made."""

import logging
import threading
import time
from collections.abc import Iterator

import pytest

from conformance.patience import wait_until
from dicomweb_server.storage import unplaced
from dicomweb_server.storage.unplaced import Unplaced


class Files:
    """What was written; may wait or fail."""

    def __init__(self) -> None:
        self.made: dict[str, bytes] = {}
        self.error: Exception | None = None
        self.began = threading.Event()
        self.gate = threading.Event()
        self.gate.set()

    def write(self, key: str, data: bytes) -> None:
        self.began.set()
        assert self.gate.wait(10)
        if self.error is not None:
            raise self.error
        self.made[key] = data


@pytest.fixture
def files() -> Files:
    return Files()


@pytest.fixture
def waiting(files: Files, monkeypatch: pytest.MonkeyPatch) -> Iterator[Unplaced]:
    """Blobs whose files are made only when they must."""
    monkeypatch.setattr(unplaced, "_PAUSE", 60.0)
    made = Unplaced(files.write)
    yield made
    files.error = None
    files.gate.set()
    made.close()


def test_files_are_made_when_nothing_new_comes(files: Files) -> None:
    waiting = Unplaced(files.write)
    waiting.add([("1", b"a"), ("2", b"b")])
    assert waiting
    assert waiting.get("1") == b"a"
    assert waiting.get("3") is None
    wait_until(lambda: not waiting)
    assert list(files.made.items()) == [("1", b"a"), ("2", b"b")]
    assert waiting.get("1") is None
    assert waiting.close()


def test_none_waits_for_long(waiting: Unplaced, files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting.add([("1", b"a")])
    time.sleep(0.05)
    assert not files.made
    monkeypatch.setattr(unplaced, "_AGE", 0.1)
    wait_until(lambda: not waiting)
    assert files.made == {"1": b"a"}


@pytest.mark.parametrize("bound", [("_MOST", 4), ("_LARGEST", 40)])
def test_who_brings_many_makes_files_of_the_oldest(
    waiting: Unplaced, files: Files, monkeypatch: pytest.MonkeyPatch, bound: tuple[str, int]
) -> None:
    monkeypatch.setattr(unplaced, *bound)
    waiting.add([(str(number), bytes(10)) for number in range(6)])
    waiting.make_room(lambda: False)  # somebody waits for him
    assert list(files.made) == ["0", "1"]
    waiting.make_room(lambda: len(files.made) < 3)
    assert list(files.made) == ["0", "1", "2"]
    waiting.make_room(lambda: True)
    assert list(files.made) == ["0", "1", "2", "3"]


def test_large_files_are_made_while_nobody_waits(
    waiting: Unplaced, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unplaced, "_LARGE", 10)
    waiting.add([("1", bytes(10)), ("2", bytes(9)), ("3", bytes(10))])
    waiting.make_room(lambda: False)
    assert list(files.made) == []
    waiting.make_room(lambda: True)
    assert list(files.made) == ["1"]
    waiting.place_all()
    waiting.make_room(lambda: True)  # there is nothing
    assert list(files.made) == ["1", "2", "3"]


def test_all_of_a_moment_are_made(waiting: Unplaced, files: Files) -> None:
    waiting.add([("1", b"a"), ("2", b"b")])
    assert waiting.place_all()
    assert not waiting
    assert list(files.made) == ["1", "2"]


def test_it_is_here_until_its_file_is_whole(waiting: Unplaced, files: Files) -> None:
    files.gate.clear()
    waiting.add([("1", b"a")])
    placing = threading.Thread(target=waiting.place_all)
    placing.start()
    assert files.began.wait(10)
    assert waiting.get("1") == b"a"
    files.gate.set()
    placing.join()
    assert waiting.get("1") is None


def test_what_is_removed_is_not_made(waiting: Unplaced, files: Files) -> None:
    waiting.add([("1", b"a"), ("2", b"b")])
    waiting.forget(["1", "3"])
    assert waiting.place_all()
    assert files.made == {"2": b"b"}


def test_a_removal_waits_for_the_file_that_is_being_made(waiting: Unplaced, files: Files) -> None:
    files.gate.clear()
    waiting.add([("1", b"a")])
    placing = threading.Thread(target=waiting.place_all)
    placing.start()
    assert files.began.wait(10)
    removing = threading.Thread(target=waiting.forget, args=(["1"],))
    removing.start()
    removing.join(0.05)
    assert removing.is_alive()
    files.gate.set()
    removing.join()
    placing.join()
    assert files.made == {"1": b"a"}


@pytest.mark.parametrize("error", [OSError(28, "no room"), ZeroDivisionError()])
def test_what_cannot_be_made_is_kept_and_tried_again(
    files: Files, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    monkeypatch.setattr(unplaced, "_RETRY", 0.02)
    monkeypatch.setattr(unplaced, "_PAUSE", 0.0)
    files.error = error
    waiting = Unplaced(files.write)
    waiting.add([("1", b"a"), ("2", b"b")])
    wait_until(lambda: waiting.is_stuck)
    assert not waiting.place_all()
    waiting.make_room(lambda: True)
    assert waiting.get("1") == b"a"
    files.error = None
    wait_until(lambda: not waiting)
    assert not waiting.is_stuck
    assert files.made == {"1": b"a", "2": b"b"}
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert waiting.close()


def test_the_end_makes_what_waits(waiting: Unplaced, files: Files) -> None:
    waiting.add([("1", b"a")])
    assert waiting.close()
    assert files.made == {"1": b"a"}


def test_the_end_tells_what_could_not_be_made(waiting: Unplaced, files: Files) -> None:
    files.error = OSError(28, "no room")
    waiting.add([("1", b"a")])
    assert not waiting.close()
    assert waiting.get("1") == b"a"
