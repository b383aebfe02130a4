"""The DICOM conformance statement (PS3.2) of one configuration, made of the tables that the code itself works with."""

from collections.abc import Iterable, Iterator, Sequence

from dicomweb_server import __version__
from dicomweb_server.dicom.attributes import ATTRIBUTES, Attribute, Level
from dicomweb_server.dicom.non_patient import CATEGORY_OF
from dicomweb_server.dicom.pixels.encode import can_encode
from dicomweb_server.dicom.standard_tables import uids
from dicomweb_server.dicom.uids import TRANSFER_SYNTAXES
from dicomweb_server.dicomweb.context import DicomwebOptions
from dicomweb_server.dicomweb.resources import OPERATIONS
from dicomweb_server.dicomweb.status import FAILURE_REASON, WARNING_REASON
from dicomweb_server.dimse.contexts import (
    ASKED,
    QUERY_LEVELS,
    SERVICES,
    STORAGE_CLASSES,
    WORKITEM_CLASSES,
    Service,
    operation_name,
)
from dicomweb_server.dimse.options import DimseOptions
from dicomweb_server.dimse.status import query_status, store_status
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.http.errors import STATUS
from dicomweb_server.wire.media_types import RELATED

_OVERVIEW = """\
dicomweb-server is an archive. It receives instances by STOW-RS and C-STORE, keeps them unchanged (see Preamble below),
and offers them by QIDO-RS, WADO-RS, C-FIND, C-MOVE and C-GET, in the transfer syntax that is asked for.
"""

_CHOICES: tuple[tuple[str, str], ...] = (
    ("A search without matches", "200 with an empty list (204 where XML was asked for)"),
    ("A search below a study that is not stored", "an empty list"),
    ("More matches than one answer holds", "Warning 299 says how many remain"),
    ("Accept absent, or `application/json`", "the default of the resource; `application/dicom+json`"),
    ("Single-part `application/dicom`", "accepted by STOW-RS, and given for one instance when asked for"),
    ("Lists of UIDs in a search", "separated by commas or backslashes"),
    ("Names of persons", "compared without regard to case and accents, also with wildcards"),
    ("The same bytes stored again", "success; nothing is written"),
    ("Other bytes under a known SOP Instance UID", "kept, replaced or rejected: setting `on_duplicate`"),
    ("A part of STOW-RS that cannot be read", "an item of the Other Failures Sequence"),
    ("A deleted resource", "404"),
    (
        "Transcoding",
        "by Accept, into the transfer syntaxes above; without one, Explicit VR Little Endian, or as stored if the"
        " stored transfer syntax may have lost something; with losses only where such a transfer syntax is named,"
        " under another SOP Instance UID; by C-GET and C-MOVE without losses; 406 with the reason, or a failed"
        " sub-operation, where it cannot be; in a set of instances, those are left out",
    ),
    (
        "Rendering",
        "by the modality LUT, then the first VOI LUT or window, MONOCHROME1 inverted; without a window, images of more"
        " than 8 bits from their lowest to their highest value; a series is represented by its middle image, a"
        " multi-frame image by its Representative Frame Number or first frame",
    ),
    (
        "Storage commitment (PS3.18 §13.4)",
        "by reading each file again; 200 with the result within `commitment_wait`, else 202; the last 1,000 results,"
        " also those of DIMSE, can be fetched; instances are kept until someone deletes them",
    ),
    (
        "Scheduled procedure steps (PS3.18 §14.4)",
        "those that a node sees that calls by the server's AE title, by their start; no match: 200 with an empty list,"
        " 204 in other forms than one JSON array; several matches as one XML document: 406",
    ),
    (
        "Workitems (PS3.18 chapter 11)",
        "one without a UID is given one; a missing or another Transaction UID answers 400, a second claim and whatever"
        " the state does not allow 409; one of the last 100,000 that were removed 410;"
        " searches as those for scheduled procedure steps",
    ),
    (
        "Notification connections (PS3.18 §8.10.4)",
        "WebSockets at `/subscribers/{ae_title}` with the users of HTTP; several for one AE are each told everything;"
        " of what happens while there is none, the last 1,000 events are told to the next, unless the server has"
        " stopped meanwhile; the Affected SOP Class UID is that of UPS Push (PS3.4 §CC.2.4.3)",
    ),
    (
        "Changes of a performed step that only its creation may give (PS3.18 §15.5.3)",
        "passed over, with a Warning; a missing or wrong attribute answers 400, a step that is over 409",
    ),
    (
        "Instances of no patient (PS3.18 chapter 12)",
        "all five categories, up to 64 MB each; as a file unless Accept names DICOM JSON or XML",
    ),
    (
        "Frames as new instances (PS3.4 §Y.3.3)",
        "the same UID for the same frames; private attributes are left out; nothing is made of videos, tiles without"
        " positions and frames that are described relative to others",
    ),
    ("One data set as `application/dicom+json`", "an object; as a request also an array with one object"),
    ("Preamble (PS3.10 §7.1)", "cleared on receipt unless it is that of a TIFF file: setting `preamble`"),
)


def conformance_statement(dicomweb: DicomwebOptions, dimse: DimseOptions | None) -> str:
    """The statement as Markdown."""
    sections = [_title(), _web(dicomweb), _network(dimse), _attributes(), _statuses(), _choices(), _general()]
    return "\n".join(line for section in sections for line in section) + "\n"


def _title() -> Iterator[str]:
    yield f"# DICOM Conformance Statement: dicomweb-server {__version__}\n"
    yield _OVERVIEW


def _web(options: DicomwebOptions) -> Iterator[str]:
    yield "## Web services (PS3.18)\n"
    yield f"Root: `{options.service_url.path}`. Largest request: {options.max_request_size} bytes. "
    yield f"Most matches in one answer: {options.search_limit}.\n"
    yield from resources()
    yield from _made_syntaxes()


def resources() -> Iterator[str]:
    """The table of resources below the root."""
    yield from _table(
        ("method", "resource", "what it does", "media types of the answer, the default first"),
        (
            (
                operation.method,
                f"`{operation.path.replace(':path', '')}`",
                operation.description.summary,
                _media(operation.description.produces),
            )
            for operation in OPERATIONS
        ),
    )


def _made_syntaxes() -> Iterator[str]:
    yield "\n### Transfer syntaxes that are made\n"
    made = (uid for uid in TRANSFER_SYNTAXES if can_encode(uid))
    yield from _table(("transfer syntax", "UID"), ((TRANSFER_SYNTAXES[uid].name, uid) for uid in made))


def _media(produces: Sequence[str]) -> str:
    parts = [kind.partition('type="')[2].rstrip('"') for kind in produces if kind.startswith(RELATED)]
    alone = [kind for kind in produces if not kind.startswith(RELATED)]
    shown = [f"multipart of {_listed(parts)}"] if parts else []
    if alone:
        shown.insert(0 if produces[0] in alone else 1, _listed(alone))
    return "; ".join(shown) or "-"


def _listed(kinds: Sequence[str]) -> str:
    """Media types; those of compressed pixel data are as many as transfer syntaxes, so they are named together."""
    named = [f"`{kind}`" for kind in kinds if not kind.startswith("image/")]
    return ", ".join([*named, "those of compressed images"] if len(named) < len(kinds) else named)


def _network(options: DimseOptions | None) -> Iterator[str]:
    yield "## Network services (PS3.4, PS3.7, PS3.8)\n"
    if options is None:
        yield "Switched off in this configuration.\n"
        return
    titles = ", ".join(f"`{title}`" for title in (options.ae_title, *options.other_ae_titles))
    yield f"An application entity, {titles}, as acceptor of associations. "
    for each in options.entities:
        port = "the same ports" if each.port is None else f"port {each.port}"
        shown = "everything" if each.view is None else f"studies that have {each.view.constraint.value} of the labels "
        shown += ", ".join(f"`{label}`" for label in each.view.labels) if each.view is not None else ""
        yield f"Another one, `{each.ae_title}`, at {port}, with {shown}. "
    uid, version = options.implementation_class_uid, options.implementation_version_name
    yield f"Implementation Class UID {uid}, Version Name {version}.\n"
    yield from _table(
        ("what", "value"),
        (
            ("Application context", "1.2.840.10008.3.1.1.1"),
            ("Port without TLS", options.port if options.port is not None else "none"),
            ("Port with TLS (PS3.15 §B.12)", options.tls.port if options.tls else "none"),
            ("Associations at one time", options.most_associations),
            ("Maximum length of a PDU", options.largest_pdu),
            (
                "Asynchronous operations window",
                f"{options.most_operations} performed; 8 invoked are proposed, for C-GET 8 performed too",
            ),
            ("Roles", "SCU/SCP role selection for C-GET, storage commitment and UPS Event"),
            (
                "User identity",
                "user name and passcode, JSON Web Token; checked by the users and tokens of HTTP; required: "
                + _yes(it_is=options.require_identity),
            ),
            ("C-MOVE is answered when all is sent", _yes(it_is=options.synchronous_move)),
            ("Connection kept after sending", f"{options.keep_associations:g} s"),
            ("Called AE title is checked", _yes(it_is=options.check_called_ae_title)),
            (
                "Nodes that are not configured may",
                ", ".join(sorted(s.value for s in options.unknown_allow)) or "nothing",
            ),
            ("SOP classes unknown to this edition are stored", _yes(it_is=options.acceptance.unknown_sop_classes)),
        ),
    )
    yield from _served()
    yield from _asked()
    yield from _storage_classes(options)
    yield "### Transfer syntaxes that are stored\n"
    taken = options.acceptance.transfer_syntaxes()
    syntaxes = ((known.name, uid) for uid, known in TRANSFER_SYNTAXES.items() if uid in taken)
    yield from _table(("transfer syntax", "UID"), syntaxes)


def _served() -> Iterator[str]:
    yield "### SOP classes as SCP\n"
    others = {uid: service for uid, service in SERVICES.items() if service is not Service.STORE}
    yield from _table(
        ("SOP class", "UID", "service"),
        ((_name(uid), uid, _operations(uid, service)) for uid, service in others.items()),
    )
    yield (
        "Levels of C-FIND: "
        + "; ".join(
            f"{_name(uid)}: {', '.join(level.name for level in levels)}" for uid, levels in QUERY_LEVELS.items()
        )
        + ". Relational queries, combined date and time, fuzzy matching of names, empty and multiple value matching are"
    )
    yield "negotiated.\n"


def _operations(uid: str, service: Service) -> str:
    return ", ".join(WORKITEM_CLASSES.get(uid, ())) or operation_name(service)


def _asked() -> Iterator[str]:
    yield "### SOP classes as SCU\n"
    yield "Of nodes that are known as modalities, on behalf of REST, jobs and C-MOVE. The SOP classes of storage are"
    yield "proposed for what is sent, and with the role of SCP for what is fetched by C-GET.\n"
    rows = ((_name(uid), uid, operation) for uid, operation in ASKED.items())
    yield from _table(("SOP class", "UID", "operation"), rows)


def _storage_classes(options: DimseOptions) -> Iterator[str]:
    only = options.only_sop_classes
    classes = [
        uid
        for uid in STORAGE_CLASSES | CATEGORY_OF.keys()
        if (not only or uid in only) and uid not in options.never_sop_classes
    ]
    yield "### Storage SOP classes\n"
    yield from _table(("SOP class", "UID"), sorted((_name(uid), uid) for uid in classes))


def attributes() -> Iterator[str]:
    """The table of indexed attributes."""
    yield from _table(
        ("level", "attribute", "tag", "VR", "returned without being asked for"), map(_attribute_row, ATTRIBUTES)
    )


def _attributes() -> Iterator[str]:
    yield "## Attributes of searches\n"
    yield "These are indexed. Any other attribute, private ones and those inside of sequences too, can be matched and"
    yield "returned as well, from what was kept of each instance; that takes longer.\n"
    yield from attributes()
    yield "Matching: single value, list of UIDs, universal, wildcard, range (date, time, date and time), sequence,"
    yield "empty value and multiple values (PS3.4 §C.2.2.2).\n"


def _attribute_row(attribute: Attribute) -> Sequence[object]:
    tag = f"({attribute.tag >> 16:04X},{attribute.tag & 0xFFFF:04X})"
    level = Level(attribute.level).name.lower()
    return (level, attribute.keyword, tag, attribute.vr, _yes(it_is=attribute.default))


def statuses() -> Iterator[str]:
    """The table of reasons and their codes in each protocol."""
    yield from _table(
        ("reason", "what happened", "HTTP", "Failure Reason of STOW-RS", "C-STORE", "C-FIND"),
        (
            (
                f"`{reason.name}`",
                reason.value,
                int(STATUS[reason]),
                f"{FAILURE_REASON[reason]:04X}",
                f"{store_status(reason).code:04X}",
                f"{query_status(ServerError(reason)).code:04X}",
            )
            for reason in Reason
        ),
    )


def _statuses() -> Iterator[str]:
    yield "## Statuses\n"
    yield from statuses()
    warned = {status.value: code for status, code in WARNING_REASON.items() if code is not None}
    yield "Warning Reasons of STOW-RS: " + ", ".join(f"{code:04X} ({name})" for name, code in warned.items()) + ".\n"


def _choices() -> Iterator[str]:
    yield "## Where the standard leaves a choice\n"
    yield from choices()


def choices() -> Iterator[str]:
    """The table of points that the standard leaves open, or that servers treat differently."""
    yield from _table(("point", "this server"), _CHOICES)


def _general() -> Iterator[str]:
    yield "## Character sets\n"
    yield "All of PS3.3 §C.12.1.1.2 are understood, ISO 2022 extensions included. Answers in JSON and XML are UTF-8"
    yield "(`ISO_IR 192`). Bytes without a character become U+FFFD; the stored file stays as it is.\n"
    yield "## Security\n"
    yield "HTTP: TLS 1.2 and 1.3, client certificates, Basic authentication. DIMSE: TLS 1.2 and 1.3 (BCP 195, PS3.15"
    yield "§B.12), calling and called AE titles, addresses of configured nodes. All of it by setting.\n"
    yield "## Extensions, private SOP classes\n"
    yield "DELETE on studies, series and instances; patients and counts in searches. No private SOP classes of its own;"
    yield "private elements are kept and answered.\n"


def _name(uid: str) -> str:
    known = uids().get(uid)
    return known[0] if known else uid


def _yes(*, it_is: bool) -> str:
    return "yes" if it_is else "no"


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "|" + " --- |" * len(head)
    for row in rows:
        yield "| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |"
    yield ""
