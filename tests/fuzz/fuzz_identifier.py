"""Whatever the identifier of a C-FIND: it is refused, or it becomes a query whose answers can be written and read."""

import orjson

from conformance.cost import at_most
from dicomweb_server.dicom.elements import walk
from dicomweb_server.dicom.query import Query
from dicomweb_server.dicom.uids import TRANSFER_SYNTAXES
from dicomweb_server.dimse.contexts import QUERY_LEVELS
from dicomweb_server.dimse.find_request import find_request
from dicomweb_server.dimse.identifiers import QUERY_LEVEL, Rules, read_identifier
from dicomweb_server.dimse.stated_identity import stated_identity
from dicomweb_server.errors import Reason, ServerError

SYNTAXES = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1")
_LEVELS = QUERY_LEVELS["1.2.840.10008.5.1.4.1.2.1.1"]
_REFUSALS = (Reason.BAD_REQUEST, Reason.CANNOT_UNDERSTAND)
_MATCH = orjson.dumps(
    {
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Müller^Jörg", "Ideographic": "山田"}]},
        "00100020": {"vr": "LO", "Value": ["P1"]},
        "0020000D": {"vr": "UI", "Value": ["1.2.3"]},
        "00400275": {"vr": "SQ", "Value": [{"00400009": {"vr": "SH", "Value": ["S"]}}]},
        "00280010": {"vr": "US", "Value": [512]},
        "00090010": {"vr": "LO", "Value": ["ACME"]},
        "00091001": {"vr": "LO", "Value": ["private"]},
    }
)


def fuzz(data: bytes) -> None:
    """The transfer syntax, the rules that were negotiated, and a data set."""
    choice = data[0] if data else 0
    syntax = SYNTAXES[choice & 1]
    rules = Rules(*(bool(choice & bit) for bit in (2, 4, 8, 16, 32)))
    with at_most(2):
        stated_identity(data[1:], TRANSFER_SYNTAXES[syntax].encoding)
        try:
            request = find_request(read_identifier(data[1:], syntax), _LEVELS, rules, "US", "https://archive.example")
        except ServerError as error:
            if error.reason not in _REFUSALS:
                raise
            return
        assert isinstance(request.query, Query)
        answer = request.encoder(syntax).encode(_MATCH)
        tags = [element.tag for element in walk(answer, 0, len(answer), TRANSFER_SYNTAXES[syntax].encoding)]
        assert tags == sorted(set(tags))
        assert QUERY_LEVEL in tags


def seeds() -> list[bytes]:
    """Identifiers in both encodings."""
    level = b"\x08\0\x52\0CS\6\0STUDY "
    keys = level + b"\x10\0\x10\0PN\4\0Doe*" + b"\x10\0\x20\0LO\0\0" + b"\x20\0\x0d\0UI\4\0" + b"1.2\0"
    series = (
        b"\x08\0\x52\0CS\6\0SERIES"
        + b"\x20\0\x0d\0UI\4\0"
        + b"1.2\0"
        + b"\x40\0\x75\2SQ\0\0\x12\0\0\0\xfe\xff\0\xe0\x0a\0\0\0"
    )
    return [
        b"\x03" + keys,
        b"\x3f" + b"\x08\0\5\0CS\x0a\0ISO_IR 100" + keys,
        b"\x01" + b"\x08\0\x20\0DA\x12\0" + b"20200101-20201231 " + level,
        b"\x03" + series + b"\x40\0\x09\0SH\2\0S1",
        b"\x02" + b"\x08\0\x52\0\6\0\0\0IMAGE " + b"\x28\0\x10\0\2\0\0\0\0\2",
        b"\x03" + b"\x08\0\x52\0CS\6\0IMAGE " + b"\x09\0\x10\0LO\4\0ACME" + b"\x09\0\1\x10LO\2\0p*",
    ]
