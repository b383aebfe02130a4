from threading import Thread

from dicomweb_server.dicom.charset import charset_of
from dicomweb_server.dicom.memo import Conditions, Memo

LATIN1 = Conditions(explicit=True, order="<", charset=charset_of(b"ISO_IR 100"), signed=False, extra=frozenset())


def test_contexts_are_shared_by_equal_conditions_only() -> None:
    memo = Memo(1000)
    context = memo.context(LATIN1)
    assert memo.context(LATIN1._replace(charset=charset_of(b"ISO IR 100"))) is context
    others = (
        LATIN1._replace(explicit=False),
        LATIN1._replace(order=">"),
        LATIN1._replace(charset=charset_of(b"ISO_IR 192")),
        LATIN1._replace(signed=True),
        LATIN1._replace(extra=frozenset({1})),
    )
    assert len({id(memo.context(other)) for other in others} | {id(context)}) == 6


def test_an_entry_outlives_one_generation_but_not_two() -> None:
    memo = Memo(4000)
    memo.keep(memo.context(LATIN1), b"a", 1, (b"A", None))
    memo.keep(memo.context(LATIN1), b"b", 3000, (b"B", None))
    context = memo.context(LATIN1)
    assert b"a" not in context.entries
    assert context.older[b"a"] == (b"A", None)
    memo.keep(memo.context(LATIN1), b"c", 3000, (b"C", None))
    assert b"a" not in memo.context(LATIN1).older


def test_it_holds_no_more_than_its_limit() -> None:
    memo = Memo(100_000)
    for number in range(10_000):
        context = memo.context(LATIN1)
        memo.keep(context, number, 100, (bytes(200), None))
        assert (len(context.entries) + len(context.older)) * 300 <= 101_000


def test_there_are_not_endlessly_many_contexts() -> None:
    memo = Memo(1 << 30)
    for number in range(3000):
        memo.context(LATIN1._replace(extra=frozenset({number})))
    assert len(memo._recent) + len(memo._older) <= 2000


def test_threads_do_not_disturb_one_another() -> None:
    memo = Memo(20_000)
    wrong = []

    def work(name: int) -> None:
        for number in range(2000):
            context = memo.context(LATIN1._replace(extra=frozenset({name % 2})))
            key = number % 50
            entry = context.entries.get(key) or context.older.get(key)
            expected = b"%d of %d" % (key, name % 2)
            if entry is not None and entry[0] != expected:
                wrong.append(entry)
            memo.keep(context, key, 10, (expected, None))

    threads = [Thread(target=work, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
