"""AvailabilityService: fetches what other nodes say that they have, where that is wanted and it is not here."""

import logging
from collections.abc import Sequence

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.dicom.availability import ToldInstance
from dicomweb_server.dicom.query_keys import SERIES_UID, STUDY_UID
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.ports.index import Scope
from dicomweb_server.services.fetching import GET, MOVE
from dicomweb_server.services.jobs import JobService
from dicomweb_server.services.modalities import Modalities
from dicomweb_server.services.retrieve import RetrieveService

_log = logging.getLogger("dicomweb_server.dimse")
_AT_HAND = frozenset({"ONLINE", "NEARLINE"})


class AvailabilityService:
    """`sources`: names of the modalities whose notices are followed."""

    def __init__(
        self,
        jobs: JobService,
        modalities: Modalities,
        retrieve: RetrieveService,
        sources: Sequence[str] = (),
        *,
        ae_title: str = "",
        by_get: bool = False,
    ) -> None:
        """`ae_title`: ours, to which is sent; `by_get`: by C-GET, else by C-MOVE."""
        self._jobs = jobs
        self._modalities = modalities
        self._retrieve = retrieve
        self._sources = frozenset(sources)
        self._ae_title = ae_title
        self._by_get = by_get

    async def told(self, names: Sequence[str], instances: Sequence[ToldInstance]) -> None:
        """A notice has come from a modality that has these names, none if it is not known. Durable when it returns."""
        name = next((each for each in names if each in self._sources), "")
        missing = [one for one in instances if one.availability in _AT_HAND and not await self._is_here(one)]
        _log.info(
            "instances are available elsewhere",
            extra={"source": ", ".join(names), "instances": len(instances), "missing": len(missing)},
        )
        if name:
            for source in dict.fromkeys(self._source(one, name) for one in missing):
                await self._fetch(source, [one for one in missing if self._source(one, name) == source])

    def _source(self, told: ToldInstance, name: str) -> str:
        """The modality that has the AE title to retrieve from, if it is known; else the one that tells."""
        return next((each for each, known in self._modalities.items() if known.ae_title == told.ae_title), name)

    async def _is_here(self, told: ToldInstance) -> bool:
        try:
            await self._retrieve.instance(Scope(told.study_uid, told.series_uid, told.instance_uid))
        except ServerError as error:
            if error.reason is Reason.NOT_FOUND:
                return False
            raise
        return True

    async def _fetch(self, source: str, instances: Sequence[ToldInstance]) -> None:
        series = dict.fromkeys((one.study_uid, one.series_uid) for one in instances)
        keys = [
            {STUDY_UID: {"vr": "UI", "Value": [study]}, SERIES_UID: {"vr": "UI", "Value": [uid]}}
            for study, uid in series
        ]
        modality = self._modalities.named(source)
        target = modality.local_ae_title or self._ae_title
        parameters = {
            "Modality": source,
            "Level": Level.SERIES.name,
            "Keys": keys,
            "TargetAet": target,
            "Permissive": True,
            "Asynchronous": True,
        }
        content = {"Description": "Instance availability", "LocalAet": target, "RemoteAet": modality.ae_title}
        await self._jobs.submit(GET if self._by_get else MOVE, parameters, content=content)
