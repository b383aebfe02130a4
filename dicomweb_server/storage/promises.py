"""Promises: small instances that are answered as soon as the journal has them.

Files follow later (`Unplaced`); rows many in one transaction, before anything that could miss them: before every read
of the index, and every other operation of the writer. While such an operation is under way, nothing is promised. So
what is promised is certainly new, and nobody but `Writer` has to know of this.

Where rows cannot follow (no room, say), the journal keeps what it has, and nothing is written before them.
"""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue

from dicomweb_server.pause import Pause
from dicomweb_server.ports.index import NewInstance
from dicomweb_server.storage.additions import Addition, hashed
from dicomweb_server.storage.commits import Commits
from dicomweb_server.storage.journal_format import Entry
from dicomweb_server.storage.sqlite import Connection

# What is promised at once: more fill a transaction of their own, and what is larger has been in a file already.
_MOST = 4
_LARGEST = 1100 * 1024
_HASHED = 64 * 1024  # from this size on, hashing is worth while before a transaction needs it
_DELAY = 0.02  # seconds that rows and files may wait for more
_WORTH = 32  # instances for which a transaction is worth while
# What may be owed altogether; who comes then, waits for a transaction.
_MOST_OWED = 256
_LARGEST_OWED = 32 * 1024 * 1024

# What is remembered of new series.
_MOST_SERIES = 64
_MOST_OF_SERIES = 1000

_HAS_SERIES = (
    "SELECT 1 FROM study JOIN series ON series.study = study.id WHERE study.study_uid = ? AND series.series_uid = ?"
)
_HAS_INSTANCE = (
    "SELECT 1 FROM study JOIN series ON series.study = study.id JOIN instance ON instance.series = series.id "
    "WHERE study.study_uid = ? AND series.series_uid = ? AND instance.instance_uid = ?"
)
Uids = tuple[str, str, str]


class Offer:
    """Instances of one caller, who waits to be told whether they are promised; if not, nothing was done."""

    __slots__ = ("additions", "is_promised", "loop", "number", "pause", "size", "uids", "when_promised")

    def __init__(self, additions: Sequence[Addition], uids: Sequence[Uids], size: int) -> None:
        self.additions = additions
        self.uids = uids
        self.size = size
        self.when_promised = [told for addition in additions if (told := addition.new.when_stored) is not None]
        self.number = 0  # of the promise
        self.is_promised = False
        self.loop = asyncio.get_running_loop()
        self.pause = Pause(self.loop)  # until it is known


class Promises:
    """Made in a thread of its own, and kept by the writer."""

    def __init__(self, connect: Callable[[], Connection] | None, commits: Commits, nudge: Callable[[], None]) -> None:
        """`connect` makes a connection to read by, None: nothing is promised; `nudge`: it is time to keep them."""
        self._connect = connect
        self._commits = commits
        self._nudge = nudge
        self._queue: SimpleQueue[Offer | None] = SimpleQueue()
        self._state = threading.Condition()  # guards what follows
        self._others = 0  # operations under way
        self._offered = self._settled = 0  # how many offers there were, and how many of them are owed or refused
        self._uids: set[Uids] = set()  # of what is offered or owed
        self._owed: list[Offer] = []
        self._series: dict[tuple[str, str], set[str]] = {}  # all instances of series that promises alone have made
        self._count = self._size = 0  # of instances and bytes, as in _uids
        self._due = 0.0  # when the first that is owed must be kept; 0: nobody has to be nudged
        self._thread: threading.Thread | None = None
        self._are_late = False
        self._is_closed = False

    @property
    def are_owed(self) -> bool:
        """Whether there may be any that are not kept yet."""
        return bool(self._uids)

    def offer(self, additions: Sequence[Addition]) -> Offer | None:
        """Ask for a promise; None if that is not to be asked. Runs in the loop."""
        if self._others or self._are_late or self._connect is None or not self._commits.can_promise:
            return None
        if len(additions) > _MOST or not all(map(_is_small, additions)):
            return None
        uids = list(dict.fromkeys(map(_uids, additions)))
        size = sum([addition.new.size for addition in additions])
        if len(uids) < len(additions) or size > _LARGEST or not all(map(_is_writable, additions)):
            return None
        with self._state:
            if self._others or self._is_closed or not self._uids.isdisjoint(uids):
                return None
            if self._count + len(uids) > _MOST_OWED or self._size + size > _LARGEST_OWED:
                return None
            self._offered += 1
            self._uids.update(uids)
            self._count += len(uids)
            self._size += size
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="journal-writer", daemon=True)
                self._thread.start()
        offer = Offer(additions, uids, size)
        self._queue.put(offer)
        return offer

    def begin_other(self) -> None:
        """Another operation comes: nothing is promised until its end."""
        with self._state:
            self._others += 1

    def end_others(self, count: int) -> None:
        """So many are durable, or have failed."""
        with self._state:
            self._others -= count
            self._series.clear()

    def owed(self, *, all_offered: bool) -> list[Offer]:
        """What the writer has to keep now; `all_offered`: with what is being promised at this moment."""
        with self._state:
            awaited = self._offered if all_offered else 0
            self._state.wait_for(lambda: self._settled >= awaited)
            return list(self._owed)

    def kept(self, offers: Sequence[Offer]) -> None:
        """The transaction that writes these is committed."""
        self._commits.keep(offers[-1].number)
        self._are_late = False
        with self._state:
            del self._owed[: len(offers)]
            if not self._owed:
                self._due = 0.0
            self._forget(offers)

    def not_kept(self) -> bool:
        """They cannot be written now: nothing more is promised until they are. Whether that is news."""
        is_news, self._are_late = not self._are_late, True
        return is_news

    def close(self) -> None:
        """Promise nothing more; waits until it is known what was promised."""
        with self._state:
            self._is_closed = True
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
            self._thread = None

    # --- in the thread ----------------------------------------------------------------------------

    def _work(self) -> None:
        assert self._connect is not None
        connection = self._connect()
        try:
            while (offers := self._gather()) is not None:
                if offers:
                    self._promise(connection, offers)
                    self._settle(offers)
                    _answer(offers)
                    _hash(offers)
                    self._commits.make_room(self._queue.empty)
                if self._is_due():
                    self._nudge()
        finally:
            connection.close()

    def _gather(self) -> list[Offer] | None:
        """What waits, [] if it is time to look at what is owed, None at the end."""
        offers: list[Offer] = []
        size = 0
        try:
            timeout = max(self._due - time.monotonic(), 0.0) if self._due else None
            while size < _LARGEST:
                offer = self._queue.get_nowait() if offers else self._queue.get(timeout=timeout)
                if offer is None:
                    if not offers:
                        return None
                    self._queue.put(None)
                    break
                offers.append(offer)
                size += offer.size
        except Empty:
            pass
        return offers

    def _is_due(self) -> bool:
        """Whether to nudge the writer, which is said once."""
        with self._state:
            is_due = bool(self._due) and (
                time.monotonic() >= self._due or sum([len(offer.uids) for offer in self._owed]) >= _WORTH
            )
            if is_due:
                self._due = 0.0
        return is_due

    def _promise(self, connection: Connection, offers: Sequence[Offer]) -> None:
        received = time.time()
        try:
            new = [offer for offer in offers if not any(self._is_stored(connection, *uids) for uids in offer.uids)]
            groups = [[_entry(addition, received) for addition in offer.additions] for offer in new]
            first = self._commits.promise(groups) if groups else None
        except Exception:  # an edge: who is not promised anything asks the writer, which says why
            return
        if first is not None:
            for number, (offer, entries) in enumerate(zip(new, groups, strict=True), first):
                offer.number, offer.is_promised = number, True
                offer.additions = list(map(_under_key, offer.additions, entries))
                for study_uid, series_uid, instance_uid in offer.uids:
                    if (known := self._series.get((study_uid, series_uid))) is not None:
                        known.add(instance_uid)

    def _is_stored(self, connection: Connection, study_uid: str, series_uid: str, instance_uid: str) -> bool:
        """Whether the index has it, which for all but the first instances of new series is known without asking."""
        known = self._series.get((study_uid, series_uid))
        if known is not None and len(known) < _MOST_OF_SERIES:
            return instance_uid in known
        if connection.execute(_HAS_SERIES, (study_uid, series_uid)).fetchone():
            return connection.execute(_HAS_INSTANCE, (study_uid, series_uid, instance_uid)).fetchone() is not None
        if len(self._series) >= _MOST_SERIES:
            self._forget_series()
        self._series[study_uid, series_uid] = set()
        return False

    def _forget_series(self) -> None:
        """Forget all but those of which instances are owed: the index does not know these instances yet."""
        with self._state:
            owed = {uids[:2] for offer in self._owed for uids in offer.uids}
            self._series = {series: known for series, known in self._series.items() if series in owed}

    def _settle(self, offers: Sequence[Offer]) -> None:
        with self._state:
            promised = [offer for offer in offers if offer.is_promised]
            if promised and not self._due:
                self._due = time.monotonic() + _DELAY
            self._owed += promised
            self._forget([offer for offer in offers if not offer.is_promised])
            self._settled += len(offers)
            self._state.notify_all()

    def _forget(self, offers: Sequence[Offer]) -> None:
        for offer in offers:
            self._uids.difference_update(offer.uids)
            self._count -= len(offer.uids)
            self._size -= offer.size


def _answer(offers: Sequence[Offer]) -> None:
    for told in [told for offer in offers if offer.is_promised for told in offer.when_promised]:
        with contextlib.suppress(Exception):  # an edge: the thread must live
            told()
    for loop in {offer.loop for offer in offers}:
        if not loop.is_closed():
            loop.call_soon_threadsafe(_tell, [offer for offer in offers if offer.loop is loop])


def _tell(offers: Sequence[Offer]) -> None:
    for offer in offers:
        offer.pause.end()


def _hash(offers: Sequence[Offer]) -> None:
    """For the rows, while the senders prepare what they send next.

    The writer does it where it comes first, and for what is small: that would only give the interpreter's lock away.
    """
    for offer in offers:
        if offer.is_promised and offer.size >= _HASHED:
            offer.additions = list(map(hashed, offer.additions))


def _is_small(addition: Addition) -> bool:
    """Whether its bytes are in memory, and not yet in a file."""
    new = addition.new
    return not new.key and new.placement is not None and not new.placement.key and new.placement.data is not None


def _is_writable(addition: Addition) -> bool:
    """Whether SQLite takes its text; of everything else it takes what it is given."""
    try:
        "".join(addition.new.parsed.record.values.values()).encode()
    except UnicodeEncodeError:
        return False
    return True


def _uids(addition: Addition) -> Uids:
    record = addition.new.parsed.record
    return record.study_uid, record.series_uid, record.instance_uid


def _entry(addition: Addition, now: float) -> Entry:
    new = addition.new
    placement = new.placement
    assert placement is not None
    assert placement.data is not None
    received = now if new.received is None else new.received
    return Entry(placement.choose_key(), received, addition.on_duplicate, new.origin, placement.data)


def _under_key(addition: Addition, entry: Entry) -> Addition:
    """The same as recovery would make it of the journal: somebody else makes the file."""
    new = addition.new
    made = NewInstance(new.parsed, entry.key, new.size, new.digest, new.origin, entry.received, new.placement)
    return Addition(made, addition.on_duplicate)
