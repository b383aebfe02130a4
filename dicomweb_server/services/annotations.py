"""AnnotationService: metadata, labels, attachments and protection that clients add to resources."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from hashlib import md5

from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.ports.annotations import Annotations, Attached, Expected, Noted
from dicomweb_server.ports.blobs import Blobs
from dicomweb_server.ports.resources import Resource
from dicomweb_server.services.contents import Content

__all__ = ["AnnotationService", "Attached", "Expected", "Noted"]

MOST_METADATA = 1 << 20  # characters of one value
_MOST_LABEL = 64
_LABEL_ALPHABET = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")


class AnnotationService:
    """Checks what is given, and keeps files beside the index."""

    def __init__(self, annotations: Annotations, blobs: Blobs) -> None:
        self._annotations = annotations
        self._blobs = blobs

    async def metadata(self, resource: Resource) -> Mapping[str, Noted]:
        """All metadata that was given to a resource."""
        return await self._annotations.metadata(resource)

    async def put_metadata(self, resource: Resource, name: str, value: str, expected: Expected | None = None) -> int:
        """Set it; the new revision. ServerError: TOO_LARGE, NOT_FOUND, CONFLICT."""
        if len(value) > MOST_METADATA:
            raise ServerError(Reason.TOO_LARGE, f"metadata may have {MOST_METADATA} characters")
        return await self._annotations.put_metadata(resource, name, value, expected or Expected())

    async def remove_metadata(self, resource: Resource, name: str, expected: Expected | None = None) -> None:
        """Remove it. ServerError: NOT_FOUND, CONFLICT."""
        await self._annotations.remove_metadata(resource, name, expected or Expected())

    async def labels(self, resource: Resource) -> Sequence[str]:
        """All labels of a resource."""
        return await self._annotations.labels(resource)

    async def all_labels(self) -> Sequence[str]:
        """All labels in use."""
        return await self._annotations.all_labels()

    async def put_label(self, resource: Resource, label: str) -> None:
        """Add it. ServerError(BAD_REQUEST) for one with other characters than letters, digits, - and _."""
        if not label or len(label) > _MOST_LABEL or not _LABEL_ALPHABET.issuperset(label):
            raise ServerError(
                Reason.BAD_REQUEST, f"a label has 1 to {_MOST_LABEL} letters (a to z), digits, hyphens and underscores"
            )
        await self._annotations.put_label(resource, label)

    async def remove_label(self, resource: Resource, label: str) -> None:
        """Remove it, if it is there."""
        await self._annotations.remove_label(resource, label)

    async def attachments(self, resource: Resource) -> Sequence[Attached]:
        """All files that were added to a resource."""
        return await self._annotations.attachments(resource)

    async def attachment(self, resource: Resource, name: str) -> Attached:
        """One of them; ServerError(NOT_FOUND) if it is not there."""
        for attached in await self._annotations.attachments(resource):
            if attached.name == name:
                return attached
        raise ServerError(Reason.NOT_FOUND, "the resource has no such attachment")

    async def attach(
        self, resource: Resource, name: str, chunks: AsyncIterator[bytes], expected: Expected | None = None
    ) -> Attached:
        """Add or replace a file. ServerError: NOT_FOUND, CONFLICT, OUT_OF_RESOURCES."""
        spool, digest = self._blobs.stage(), md5(usedforsecurity=False)
        try:
            async for chunk in chunks:
                digest.update(chunk)
                await spool.write(chunk)
            staged = await spool.finish()
            key = await asyncio.to_thread(self._blobs.placement(staged).place)
        except BaseException:
            await spool.discard()
            raise
        self._blobs.release([staged])
        attached = Attached(name, key, staged.size, digest.hexdigest(), 0)
        try:
            revision = await self._annotations.put_attachment(resource, attached, expected or Expected())
        except ServerError:
            await self._blobs.remove([key])
            raise
        return Attached(name, key, staged.size, attached.md5, revision)

    async def detach(self, resource: Resource, name: str, expected: Expected | None = None) -> None:
        """Remove a file. ServerError: NOT_FOUND, CONFLICT."""
        await self._annotations.remove_attachment(resource, name, expected or Expected())

    async def is_protected(self, patient: Resource) -> bool:
        """Whether a patient is never removed to make room."""
        return await self._annotations.is_protected(patient)

    async def protect(self, patient: Resource, *, protected: bool) -> None:
        """Say so, or not."""
        await self._annotations.protect(patient, protected=protected)

    async def attached_size(self) -> int:
        """Bytes of all attachments."""
        return await self._annotations.attached_size()

    def content(self, attached: Attached) -> Content:
        """Its bytes, to be read by `RetrieveService.contents`."""
        return Content(attached.size, attached.key, ((0, attached.size),))

    async def md5(self, key: str) -> str:
        """The digest of a blob, computed anew."""
        digest = md5(usedforsecurity=False)
        async for piece in self._blobs.stream(key):
            digest.update(piece)
        return digest.hexdigest()
