"""Progress of C-MOVE and C-GET: small ones are told in full, large ones now and then."""

from dicomweb_server.dimse.progress import Progress


class Clock:
    """Moves by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_few_are_all_told() -> None:
    progress = Progress(Clock())
    assert all(progress.is_due() for _ in range(16))


def test_many_are_told_ten_times_a_second() -> None:
    clock = Clock()
    progress = Progress(clock)
    told = 0
    for _ in range(1000):  # in two seconds
        told += progress.is_due()
        clock.now += 0.002
    assert 16 + 17 <= told <= 16 + 20


def test_slow_ones_are_all_told() -> None:
    clock = Clock()
    progress = Progress(clock)
    for _ in range(30):
        clock.now += 0.2
        assert progress.is_due()
