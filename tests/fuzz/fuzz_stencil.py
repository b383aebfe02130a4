"""Whatever the bytes: an instance says the same whether or not others of its series were read before."""

from unittest import mock

from dicomweb_server.dicom import dicom_json
from dicomweb_server.dicom.instance import parse_instance
from dicomweb_server.errors import ServerError
from tests.alike import instance, nothing_known
from tests.encoded import EXPLICIT_LITTLE_UID, IMPLICIT_LITTLE_UID

_SERIES = {}
for _uid in (EXPLICIT_LITTLE_UID, IMPLICIT_LITTLE_UID):
    with nothing_known():
        for _number in range(1, 9):
            parse_instance(instance(_uid, _number))
        _SERIES[_uid] = dicom_json._STENCILS


def fuzz(data: bytes) -> None:
    """Parse with what was learnt of either series, and alone."""
    with nothing_known():
        alone = _result(data)
    for stencils in _SERIES.values():
        with nothing_known(), mock.patch.object(dicom_json, "_STENCILS", stencils):
            assert _result(data) == alone


def _result(data: bytes) -> object:
    try:
        return parse_instance(data)
    except ServerError as error:
        return error.reason, error.detail


def seeds() -> list[bytes]:
    """Instances that fit."""
    return [instance(uid, number) for uid in _SERIES for number in (9, 1234)]
