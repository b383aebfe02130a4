"""Metadata that the server itself keeps of a resource, under Orthanc's names and numbers."""

from datetime import UTC, datetime

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.dicom.spelt_document import SpeltDocument
from dicomweb_server.services.resources import Described

_ORIGINS = {"dimse": "DicomProtocol", "rest": "RestApi", "stow": "RestApi", "import": "Unknown", "job": "Unknown"}


def system_metadata(described: Described, document: SpeltDocument) -> dict[str, str]:
    """What the index knows; values that are not known are left out."""
    file = described.file
    if file is None:
        return {"LastUpdate": _moment(described.updated)}
    found = {
        "ReceptionDate": _moment(described.updated),
        "Origin": _ORIGINS.get(file.protocol, "Unknown"),
        "RemoteIP": file.address,
        "TransferSyntax": file.transfer_syntax_uid,
        "SopClassUid": file.sop_class_uid,
        "RemoteAET": file.calling_ae_title,
    }
    if file.protocol == "dimse":
        found["CalledAET"] = file.called_ae_title
    else:
        found["HttpUsername"] = file.user
    number = document.get("00541330") or document.get("00200013")
    if described.resource.level is Level.INSTANCE and number and number.get("Value"):
        found["IndexInSeries"] = str(number["Value"][0])
    return found


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y%m%dT%H%M%S")
