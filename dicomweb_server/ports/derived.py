"""Derived: small files that were made of blobs and can be made again, kept as long as there is room."""

from collections.abc import Sequence
from typing import Protocol


class Derived(Protocol):
    """Bytes by the key of a blob and the variant of what was made of it. Losing any is no failure."""

    async def get(self, key: str, variant: str) -> bytes | None:
        """What was kept, None if nothing was or it is damaged."""

    async def put(self, key: str, variant: str, data: bytes) -> None:
        """Keep it, if that is possible; who asks for it from now on gets it, as soon as it is kept."""

    async def remove(self, keys: Sequence[str]) -> None:
        """Forget all that was made of these blobs."""


class NothingDerived:
    """Keeps nothing."""

    async def get(self, key: str, variant: str) -> bytes | None:
        """Nothing was kept."""
        return None

    async def put(self, key: str, variant: str, data: bytes) -> None:
        """Nothing is kept."""

    async def remove(self, keys: Sequence[str]) -> None:
        """There is nothing."""
