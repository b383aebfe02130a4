"""The OpenAPI description of the DICOMweb services, made of the table of resources."""

from typing import Any

from dicomweb_server.dicomweb import wado_uri
from dicomweb_server.dicomweb.resources import OPERATIONS
from dicomweb_server.http.description import openapi
from dicomweb_server.wire.media_types import DICOM_JSON

_UID: dict[str, Any] = {
    "type": "string",
    "pattern": r"^[0-9]+(\.[0-9]+)*$",
    "maxLength": 64,
    "examples": ["1.2.840.113619.2.55.3"],
}
_VARIABLES: dict[str, dict[str, Any]] = {
    "study": _UID | {"description": "Study Instance UID"},
    "series": _UID | {"description": "Series Instance UID"},
    "instance": _UID | {"description": "SOP Instance UID"},
    "transaction": _UID | {"description": "Transaction UID, chosen by who asks"},
    "step": _UID | {"description": "SOP Instance UID of a performed procedure step, chosen by who performs it"},
    "workitem": _UID | {"description": "UID of a workitem; of subscriptions also the well-known UIDs of all workitems"},
    "ae_title": {"type": "string", "minLength": 1, "maxLength": 16, "description": "AE title of a subscriber"},
    "frames": {
        "type": "string",
        "pattern": r"^[1-9][0-9]{0,9}(,[1-9][0-9]{0,9})*$",
        "description": "Numbers of frames, counted from 1, separated by commas",
        "examples": ["1", "2,3"],
    },
    "path": {
        "type": "string",
        "pattern": r"^[0-9A-Fa-f]{8}(/[1-9][0-9]*/[0-9A-Fa-f]{8})*$",
        "description": "Tags, and between them numbers of items counted from 1",
        "examples": ["7FE00010", "00540016/1/00091010"],
    },
}

_GROUP = {"type": "string", "examples": ["Yamada^Tarou"]}
_PERSON_NAME = {
    "type": "object",
    "description": "A person name by its component groups (PS3.18 §F.2.2)",
    "properties": {"Alphabetic": _GROUP, "Ideographic": _GROUP, "Phonetic": _GROUP},
    "additionalProperties": False,
}
_VALUE = {
    "description": "A text, a number, a person name, an item of a sequence, or null for an empty value among several",
    "anyOf": [
        {"type": ["string", "number", "null"]},
        {"$ref": "#/components/schemas/DataSet"},
        {"$ref": "#/components/schemas/PersonName"},
    ],
}
_ATTRIBUTE = {
    "type": "object",
    "description": "One attribute (PS3.18 Annex F)",
    "required": ["vr"],
    "properties": {
        "vr": {"type": "string", "pattern": "^[A-Z]{2}$", "examples": ["PN"]},
        "Value": {"type": "array", "items": _VALUE},
        "BulkDataURI": {"type": "string", "format": "uri"},
        "InlineBinary": {"type": "string", "contentEncoding": "base64"},
    },
    "additionalProperties": False,
}
_DATA_SET = {
    "type": "object",
    "description": "A data set: attributes by their tags, as eight hexadecimal digits (PS3.18 Annex F)",
    "propertyNames": {"pattern": "^[0-9A-F]{8}$"},
    "additionalProperties": {"$ref": "#/components/schemas/Attribute"},
    "examples": [{"00100010": {"vr": "PN", "Value": [{"Alphabetic": "Doe^Jane"}]}}],
}
_DATA_SETS = {"type": "array", "items": {"$ref": "#/components/schemas/DataSet"}}
_STORE_RESPONSE = {
    "description": "Store Instances Response (PS3.18 §10.5.3): (0008,1199) stored, (0008,1198) and (0008,119A) failed",
    "allOf": [{"$ref": "#/components/schemas/DataSet"}],
}

# What DICOM JSON is in the operations of a tag, if not an array of data sets.
_SCHEMAS = {
    "Store (STOW-RS)": "StoreResponse",
    **dict.fromkeys(("Storage commitment", "Performed procedure steps", "Worklist service"), "DataSet"),
}

TAGS = (
    {"name": "Search (QIDO-RS)", "description": "Find patients, studies, series and instances (PS3.18 §10.6)."},
    {"name": "Retrieve (WADO-RS)", "description": "Instances, metadata, frames and bulk data (PS3.18 §10.4)."},
    {"name": "Retrieve (WADO-URI)", "description": "One instance by query parameters (PS3.18 chapter 9)."},
    {"name": "Store (STOW-RS)", "description": "Store instances (PS3.18 §10.5)."},
    {"name": "Storage commitment", "description": "Will the server keep instances safe? (PS3.18 chapter 13)."},
    {"name": "Scheduled procedure steps", "description": "The modality worklist (PS3.18 chapter 14)."},
    {"name": "Performed procedure steps", "description": "What modalities report (PS3.18 chapter 15)."},
    {"name": "Worklist service", "description": "Workitems, UPS-RS (PS3.18 chapter 11)."},
    {"name": "Non-patient instances", "description": "Hanging protocols and the like (PS3.18 chapter 12)."},
    {"name": "Delete", "description": "Delete studies, series and instances; an extension of the standard."},
    {"name": "Capabilities", "description": "What the service offers (PS3.18 §8.9)."},
    {"name": "Operation", "description": "For those who run the server."},
)


def describe(root: str, wado_uri_root: str | None = None) -> dict[str, Any]:
    """`paths` and `components` of the services below `root`, and of WADO-URI at its own, for that of the server."""
    document = openapi(root, (), _VARIABLES, {})
    for operation in sorted(OPERATIONS, key=lambda one: one.method == "POST"):
        schema = {"$ref": f"#/components/schemas/{_SCHEMAS.get(operation.description.tag, 'DataSets')}"}
        described = openapi(root, [operation], _VARIABLES, {DICOM_JSON: schema})
        for path, operations in described["paths"].items():
            document["paths"].setdefault(path, {}).update(operations)
    if wado_uri_root:
        document["paths"] |= openapi(wado_uri_root, wado_uri.OPERATIONS, {}, {})["paths"]
    document["components"]["schemas"] |= {
        "Attribute": _ATTRIBUTE,
        "DataSet": _DATA_SET,
        "DataSets": _DATA_SETS,
        "PersonName": _PERSON_NAME,
        "StoreResponse": _STORE_RESPONSE,
    }
    return document
