"""Instances that belong to no patient: where they are kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from dicomweb_server.ports.index import Added, OnDuplicate


@dataclass(frozen=True, slots=True)
class NonPatientInstance:
    """One of a category. `metadata`: as of any instance; `file`: the Part 10 file; `received`: seconds of the epoch."""

    category: str
    instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    metadata: bytes
    file: bytes
    digest: bytes
    received: float


@dataclass(frozen=True, slots=True)
class NonPatientReference:
    """Which one it is, without what is in it."""

    category: str
    instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str


class NonPatientInstances(Protocol):
    """They are few and small. What is written is durable when a method returns."""

    async def add_non_patient(self, instance: NonPatientInstance, on_duplicate: OnDuplicate) -> Added:
        """Keep one."""

    async def non_patient(self, category: str, instance_uid: str) -> NonPatientInstance | None:
        """One of them; `category`: "" is any."""

    async def non_patient_references(self, category: str, instance_uids: Sequence[str]) -> list[NonPatientReference]:
        """Those of these UIDs that are there, by UID."""

    async def metadata_after(self, category: str, instance_uid: str, limit: int) -> Sequence[tuple[str, bytes]]:
        """UIDs and metadata of some, by UID, after one."""

    async def remove_non_patient(self, category: str, instance_uid: str) -> bool:
        """False if there was none."""
