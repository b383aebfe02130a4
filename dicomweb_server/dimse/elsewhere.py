"""C-FIND that also answers what another archive finds and is not here: that is asked the same."""

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from contextlib import aclosing
from typing import Any

import orjson

from dicomweb_server.dicom.instance import stored_document
from dicomweb_server.dimse.find_request import FindRequest
from dicomweb_server.dimse.identifiers import TIMEZONE, UNIQUE_KEYS, RequestKey
from dicomweb_server.dimse.session import Operation
from dicomweb_server.services.modalities import Modality, PeerError

logger = logging.getLogger("dicomweb_server.dimse")
_BATCH = 50
_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
_INTEGERS = frozenset({"US", "SS", "UL", "SL", "UV", "SV"})


class Elsewhere:
    """The answers of one other archive to one request, without those that are known here."""

    def __init__(self, operation: Operation, request: FindRequest, archive: Modality) -> None:
        self._operation = operation
        self._request = request
        self._archive = archive
        self._unique = f"{UNIQUE_KEYS[request.query.level]:08X}"
        self._known: set[str] = set()

    async def noted(self, batches: AsyncIterator[Sequence[bytes]]) -> AsyncIterator[Sequence[bytes]]:
        """Our own matches, remembered."""
        async for batch in batches:
            for match in batch:
                self._is_new(stored_document(match))
            yield batch

    async def matches(self) -> AsyncGenerator[Sequence[bytes], None]:
        """Those of the archive; none, with a line in the log, while it cannot be asked."""
        peer = self._operation.terms.services.modalities.peer(self._archive)
        batch: list[bytes] = []
        try:
            async with aclosing(peer.find(self._request.query.level, _keys(self._request.keys))) as found:  # type: ignore[type-var]
                async for match in found:
                    if self._is_new(match):
                        batch.append(orjson.dumps(match))
                    if len(batch) == _BATCH:
                        yield batch
                        batch = []
        except PeerError:  # its words are not for the log
            logger.warning("not found elsewhere", extra={"called": self._archive.ae_title})
        yield batch

    def _is_new(self, match: dict[str, Any]) -> bool:
        values = match.get(self._unique, {}).get("Value") or [""]
        is_new = str(values[0]) not in self._known
        self._known.add(str(values[0]))
        return is_new


def _keys(keys: Iterable[RequestKey]) -> dict[str, Any]:
    """The keys of an identifier in DICOM JSON; private ones are left out, for blocks differ."""
    return {
        f"{key.tag:08X}": {"vr": key.vr} | ({"Value": values} if (values := _values(key)) else {})
        for key in keys
        if key.private_creator is None and key.tag != TIMEZONE
    }


def _values(key: RequestKey) -> list[Any]:
    if key.vr == "SQ":
        return [_keys(key.items)] if key.items else []
    if not key.text:
        return []
    if key.vr == "PN":
        return [dict(zip(_GROUPS, key.text.split("="), strict=False))]
    if key.vr in _INTEGERS:
        return [int(value) for value in key.text.split("\\") if value.lstrip("-").isdigit()]
    return key.text.split("\\")
