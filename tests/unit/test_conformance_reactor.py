"""The thread of an association of pynetdicom, while the association asks."""

import threading
import time

from pynetdicom import AE
from pynetdicom.association import Association

from conformance.reactor import Checkpoint


class Serving(threading.Thread):
    """Works like pynetdicom's: takes what there is whenever it has passed the checkpoint."""

    def __init__(self) -> None:
        super().__init__()
        self.checkpoint = Checkpoint(self)
        self.taken = 0
        self._kill = False

    def run(self) -> None:
        while not self._kill:
            self.checkpoint.wait()
            time.sleep(0.0005)  # it may lose the processor here
            self.taken += 1

    def stop(self) -> None:
        self._kill = True
        self.checkpoint.set()
        self.join()


def test_whoever_closes_the_checkpoint_finds_the_thread_standing() -> None:
    serving = Serving()
    serving.start()
    try:
        for _ in range(50):
            serving.checkpoint.clear()
            taken = serving.taken
            time.sleep(0.002)
            assert serving.taken == taken
            serving.checkpoint.set()
            time.sleep(0.001)
    finally:
        serving.stop()
    assert serving.taken > 0
    serving.checkpoint.clear()  # does not wait for a thread that has ended


def test_an_event_report_that_is_served_makes_nobody_wait_for_ever() -> None:
    association = Association(AE(), "requestor")
    association._kill = True
    association._reactor_checkpoint.clear()
    association._is_paused = False  # as a thread does that has served one
    assert association._is_paused
