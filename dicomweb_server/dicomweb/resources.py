"""THE table of DICOMweb resources: routing, capabilities and OpenAPI are all made of it."""

from collections.abc import Sequence

from dicomweb_server.dicom.rendering.icc_profile import ColourSpace
from dicomweb_server.dicom.rendering.image_format import IMAGE_TYPES
from dicomweb_server.dicomweb import (
    commitment,
    non_patient,
    performed_steps,
    qido,
    scheduled_steps,
    subscriptions,
    workitems,
)
from dicomweb_server.dicomweb.bulk_data import retrieve_bulk_data, retrieve_bulk_value, retrieve_pixel_data
from dicomweb_server.dicomweb.capabilities import WADL, capabilities
from dicomweb_server.dicomweb.context import Context
from dicomweb_server.dicomweb.deletion import delete
from dicomweb_server.dicomweb.frames import retrieve_frames
from dicomweb_server.dicomweb.instances import retrieve_instance, retrieve_instances
from dicomweb_server.dicomweb.metadata import retrieve_metadata
from dicomweb_server.dicomweb.rendered import THUMBNAIL_TYPES, retrieve_rendered, retrieve_thumbnail
from dicomweb_server.dicomweb.stow import ACCEPTED, store_instances
from dicomweb_server.http.description import Description, Parameter
from dicomweb_server.http.routing import Endpoint, Operation
from dicomweb_server.wire.media_types import DICOM, DICOM_JSON, DICOM_XML, JSON, OCTET_STREAM, RELATED, ZIP

Table = Sequence[Operation[Context]]

STUDY = "/studies/{study}"
SERIES = STUDY + "/series/{series}"
INSTANCE = SERIES + "/instances/{instance}"

_LEVELS = (("Study", "study", STUDY), ("Series", "series", SERIES), ("Instance", "instance", INSTANCE))
_RETRIEVE, _STORE, _DELETE = "Retrieve (WADO-RS)", "Store (STOW-RS)", "Delete"

_DICOM_PARTS = f'{RELATED}; type="{DICOM}"'
_OCTET_PARTS = f'{RELATED}; type="{OCTET_STREAM}"'
_METADATA = (DICOM_JSON, f'{RELATED}; type="{DICOM_XML}"')
_IMAGES = ("image/jpeg", "image/jls", "image/jp2", "image/jpx", "image/jphc", "image/jxl", "image/dicom-rle")

_ACCEPT = Parameter(
    "accept",
    "Acceptable media types, with their transfer syntaxes where they have some; wins over the Accept header",
    {"type": "string"},
)
_INCLUDE = Parameter(
    "includefield",
    "Attributes to be in the answer, as keywords or tags, separated by commas; all without it",
    {"type": "array", "items": {"type": "string"}},
)

_RENDERED = (
    *IMAGE_TYPES, *(f'{RELATED}; type="{name}"' for name in IMAGE_TYPES),
    "text/html", "text/plain", "image/svg+xml", "application/pdf", "video/mp4", "video/mpeg",
)  # fmt: skip
_NOT_RENDERED = (400, 404, 406, 409, 413, 416, 500, 503)


def _text(name: str, text: str, example: str) -> Parameter:
    return Parameter(name, text, {"type": "string", "examples": [example]})


_VIEWPORT = _text(
    "viewport",
    "Largest width and height, and the region as left, top, width, height; a negative width or height flips it",
    "256,256",
)
_RENDERING = (
    _text("window", "Centre, width, and linear, linear-exact or sigmoid", "40,400,linear"),
    _VIEWPORT,
    Parameter("quality", "Of lossy formats", {"type": "integer", "minimum": 1, "maximum": 100}),
    _text("annotation", "What is written into the picture: patient, technique, or both", "patient,technique"),
    Parameter(
        "iccprofile",
        "Whether an ICC profile is embedded, and which",
        {"type": "string", "enum": [space.value for space in ColourSpace]},
    ),
    Parameter("overlays", "Whether overlays are drawn (extension)", {"type": "boolean"}),
    _text("presentationSeriesUID", "Series of a presentation state of the study, which is to be applied", "1.2.3.4"),
    _text("presentationUID", "The presentation state", "1.2.3.4.5"),
)

_RETRIEVED = {
    200: "All that was asked for",
    206: "A byte range; or all but what is damaged, with a Warning",
    304: "The client has the current representation",
}
_STORED = {
    200: "All instances are stored",
    202: "Some instances are stored, others failed; or some are stored with a warning",
}


def _retrieve(
    path: str,
    endpoint: Endpoint[Context],
    name: str,
    summary: str,
    produces: Sequence[str],
    *more: Parameter,
    errors: Sequence[int] = (400, 404, 406, 416, 500),
) -> Operation[Context]:
    said = Description(name, summary, _RETRIEVE, _RETRIEVED, produces, parameters=(_ACCEPT, *more), errors=errors)
    return Operation("GET", path, endpoint, said)


def _retrieve_level(title: str, noun: str, path: str) -> Table:
    files = retrieve_instance if title == "Instance" else retrieve_instances
    alone = (DICOM,) if title == "Instance" else ()
    octets = (_OCTET_PARTS, *(f'{RELATED}; type="{name}"' for name in _IMAGES))
    return (
        _retrieve(path, files, f"retrieve{title}", f"The {noun} as DICOM files", (_DICOM_PARTS, *alone, ZIP)),
        _retrieve(
            f"{path}/metadata",
            retrieve_metadata,
            f"retrieve{title}Metadata",
            f"The metadata of the {noun}",
            _METADATA,
            _INCLUDE,
        ),
        _retrieve(
            f"{path}/bulkdata",
            retrieve_bulk_data,
            f"retrieve{title}BulkData",
            f"All bulk data of the {noun}",
            octets,
        ),
        _retrieve(
            f"{path}/pixeldata",
            retrieve_pixel_data,
            f"retrieve{title}PixelData",
            f"All pixel data of the {noun}",
            octets,
        ),
        _rendered(f"{path}/rendered", f"retrieve{title}Rendered", f"The {noun} as a picture, page or video"),
        _thumbnail(f"{path}/thumbnail", f"retrieve{title}Thumbnail", f"A small picture of the {noun}"),
        Operation(
            "DELETE",
            path,
            delete,
            Description(
                f"delete{title}", f"Delete the {noun}", _DELETE, {204: "It is gone"}, errors=(400, 404, 500, 503)
            ),
        ),
    )


def _rendered(path: str, name: str, summary: str) -> Operation[Context]:
    return _retrieve(path, retrieve_rendered, name, summary, _RENDERED, *_RENDERING, errors=_NOT_RENDERED)


def _thumbnail(path: str, name: str, summary: str) -> Operation[Context]:
    return _retrieve(path, retrieve_thumbnail, name, summary, THUMBNAIL_TYPES, _VIEWPORT, errors=_NOT_RENDERED)


def _frames() -> Table:
    octets = (_OCTET_PARTS, *(f'{RELATED}; type="{name}"' for name in _IMAGES), OCTET_STREAM, *_IMAGES)
    return (
        _retrieve(
            f"{INSTANCE}/frames/{{frames}}", retrieve_frames, "retrieveFrames", "Frames by their numbers", octets
        ),
        _retrieve(f"{INSTANCE}/frames", retrieve_frames, "retrieveAllFrames", "All frames", octets),
        _rendered(f"{INSTANCE}/frames/{{frames}}/rendered", "retrieveFramesRendered", "Frames as pictures"),
        _thumbnail(f"{INSTANCE}/frames/{{frames}}/thumbnail", "retrieveFramesThumbnail", "A small picture of a frame"),
        _retrieve(
            f"{INSTANCE}/bulkdata/{{path:path}}",
            retrieve_bulk_value,
            "retrieveBulkValue",
            "The value that a BulkDataURI leads to",
            (*octets, "application/pdf"),
        ),
    )


def _store(path: str, name: str, summary: str) -> Operation[Context]:
    produces = (DICOM_JSON, DICOM_XML)
    # Where nothing is stored, the answer is the same module, or a problem when the request itself is at fault.
    errors = (400, 406, 409, 413, 415, 500, 503)
    told = (400, 409, 413, 415, 500, 503)
    said = Description(name, summary, _STORE, _STORED, produces, ACCEPTED, (_ACCEPT,), errors, told)
    return Operation("POST", path, store_instances, said)


_CAPABILITIES = Description(
    "retrieveCapabilities",
    "What this service offers",
    "Capabilities",
    {200: "The tree of resources"},
    (WADL, JSON),
    parameters=(_ACCEPT,),
    errors=(400, 406),
    bodies={JSON: {"type": "object", "description": "The WADL tree (PS3.18 Annex H) as JSON"}},
)

_DESCRIBED: Table = (
    _store("/studies", "storeInstances", "Store instances of any study"),
    _store(STUDY, "storeStudyInstances", "Store instances of this study only"),
    *(operation for level in _LEVELS for operation in _retrieve_level(*level)),
    *_frames(),
    *qido.OPERATIONS,
    *commitment.OPERATIONS,
    *scheduled_steps.OPERATIONS,
    *performed_steps.OPERATIONS,
    *workitems.OPERATIONS,
    *subscriptions.OPERATIONS,
    *non_patient.OPERATIONS,
)

OPERATIONS: Table = (*_DESCRIBED, Operation("OPTIONS", "/", capabilities(_DESCRIBED), _CAPABILITIES))

SEGMENTS = frozenset(operation.path.split("/")[1] for operation in OPERATIONS) - {""}
"""The first segments of all paths below the root of the service."""
