"""Meter: what the DIMSE side counts, as a port that the metrics implement."""

from typing import Protocol

# Which part we have: the SCP answers requests and accepts associations, the SCU asks.
SCP, SCU = "scp", "scu"


class Meter(Protocol):
    """Takes figures; never waits and never fails."""

    def association_ended(self, part: str, how: str, seconds: float, received: int, sent: int) -> None:
        """One association is over: how it ended (`ending.End`), its duration and its bytes."""

    def operation_ended(self, part: str, service: str, outcome: str, seconds: float) -> None:
        """One operation is over: "C-STORE" and the like, `status.Status.outcome`, its duration."""


class NoMeter:
    """Counts nothing."""

    def association_ended(self, part: str, how: str, seconds: float, received: int, sent: int) -> None:
        """Nothing."""

    def operation_ended(self, part: str, service: str, outcome: str, seconds: float) -> None:
        """Nothing."""
