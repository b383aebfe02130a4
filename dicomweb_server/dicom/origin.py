"""Who sent it: travels with every instance from the door it came through to the index."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request comes from. `protocol` is one of "stow", "dimse", "rest", "import", "job".

    `labels`: what is stored for it gets them, each at a level (`attributes.Level`).
    """

    protocol: str
    address: str = ""
    calling_ae_title: str = ""
    called_ae_title: str = ""
    user: str = ""
    labels: tuple[tuple[int, str], ...] = ()
