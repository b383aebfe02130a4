"""Whatever the bytes: a document is a Native DICOM Model or refused, and what was read can be written and composed."""

from dicomweb_server.dicom.compose import compose
from dicomweb_server.dicom.dicom_xml import from_xml, to_xml
from dicomweb_server.errors import ServerError


def fuzz(data: bytes) -> None:
    """Read, write, read again: the second time nothing is lost any more."""
    try:
        document = from_xml(data)
    except ServerError:
        return
    once = from_xml(to_xml(document))
    assert from_xml(to_xml(once)) == once
    try:
        compose(document, {})
    except ServerError:
        return


def seeds() -> list[bytes]:
    """Documents with every kind of element."""
    name = {"vr": "PN", "Value": [{"Alphabetic": "A^B^C", "Phonetic": "D"}, None]}
    return [
        to_xml({}),
        to_xml(
            {
                "00080016": {"vr": "UI", "Value": ["1.2"]},
                "00080018": {"vr": "UI", "Value": ["1.2.3"]},
                "00081140": {"vr": "SQ", "Value": [{"00100010": name}, {}]},
                "00090010": {"vr": "LO", "Value": ["ACME"]},
                "00091001": {"vr": "FD", "Value": [1.5, "NaN"]},
                "00280010": {"vr": "US", "Value": [1]},
                "00282000": {"vr": "OB", "InlineBinary": "AAE="},
                "7FE00010": {"vr": "OW", "BulkDataURI": "http://host/a"},
            }
        ),
    ]
