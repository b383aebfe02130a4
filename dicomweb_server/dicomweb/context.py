"""Context: what every DICOMweb endpoint is given beside its request."""

from dataclasses import dataclass

from starlette.requests import Request

from dicomweb_server.http.service_url import ServiceUrl
from dicomweb_server.services import Services
from dicomweb_server.services.retrieve import Scope, StoredInstance


@dataclass(frozen=True, slots=True)
class DicomwebOptions:
    """The settings of the DICOMweb services.

    `immutable`: a stored instance is never replaced, so that caches may keep frames without asking again.
    `max_request_size`: of a body, after its content coding was undone. `worklist`: procedure steps are offered, those
    for `ae_title` and those for everybody. `workitems`: these are.
    """

    service_url: ServiceUrl = ServiceUrl("/dicom-web")  # noqa: RUF009 - frozen
    compression: bool = True
    immutable: bool = True
    search_limit: int = 1000
    max_request_size: int = 1 << 36
    max_instance_size: int = 1 << 34
    worklist: bool = True
    workitems: bool = True
    ae_title: str = ""


@dataclass(frozen=True, slots=True)
class Context:
    """The services, and the options of this adapter."""

    services: Services
    options: DicomwebOptions


def scope_of(request: Request) -> Scope:
    """The study, series or instance that the path names."""
    named = request.scope["path_params"]
    return Scope(named["study"], named.get("series"), named.get("instance"))


def path_of(study_uid: str, series_uid: str | None = None, instance_uid: str | None = None) -> str:
    """The path of a study, series or instance below the service's root."""
    path = f"/studies/{study_uid}"
    if series_uid is not None:
        path += f"/series/{series_uid}"
    if instance_uid is not None:
        path += f"/instances/{instance_uid}"
    return path


def path_of_instance(instance: StoredInstance) -> str:
    """The path of a stored instance."""
    return path_of(instance.study_uid, instance.series_uid, instance.instance_uid)
