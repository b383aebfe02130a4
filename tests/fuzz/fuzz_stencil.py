"""Whatever the bytes: an instance says the same whether or not others of its series were read before."""

from dicomweb_server.dicom import dicom_json
from dicomweb_server.dicom.instance import parse_instance
from dicomweb_server.dicom.part10 import FIRST_ELEMENT
from dicomweb_server.dicom.same_series import Key, series_of
from dicomweb_server.dicom.stencil import Stencil
from dicomweb_server.dicom.stencil_cutting import Sample
from dicomweb_server.errors import ServerError
from tests.alike import instance, nothing_known
from tests.encoded import EXPLICIT_LITTLE_UID, IMPLICIT_LITTLE_UID

_UIDS = (EXPLICIT_LITTLE_UID, IMPLICIT_LITTLE_UID)


def _known(uid: str, count: int) -> tuple[Key, Sample | None, Stencil | None]:
    """What is known after so many instances of a series."""
    with nothing_known():
        for number in range(1, count + 1):
            parse_instance(instance(uid, number))
        key = (series_of(instance(uid, 1), FIRST_ELEMENT) or b"", frozenset[int]())
        return key, dicom_json._SAMPLES.get(key), dicom_json._STENCILS.get(key)


_KNOWN = [_known(uid, count) for uid in _UIDS for count in (1, 8)]


def fuzz(data: bytes) -> None:
    """Parse alone, after one of either series, and after several."""
    with nothing_known():
        alone = _result(data)
    for key, sample, stencil in _KNOWN:
        with nothing_known():
            if sample is not None:
                dicom_json._SAMPLES.put(key, sample)
            if stencil is not None:
                dicom_json._STENCILS.put(key, stencil)
            assert _result(data) == alone


def _result(data: bytes) -> object:
    try:
        return parse_instance(data)
    except ServerError as error:
        return error.reason, error.detail


def seeds() -> list[bytes]:
    """Instances that fit."""
    return [instance(uid, number) for uid in _UIDS for number in (9, 1234)]
