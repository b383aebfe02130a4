"""The Native DICOM Model: what the standard's rules make of DICOM JSON, back again, and refusals."""

import math
import shutil
import subprocess
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from conformance.cost import at_most
from dicomweb_server.dicom import dicom_xml
from dicomweb_server.dicom.dicom_xml import NAMESPACE, from_xml, to_xml
from dicomweb_server.dicom.instance import parse_instance
from dicomweb_server.errors import Reason, ServerError
from tests.builders import make_dataset, write_part10
from tests.real_files import REAL_FILES

Json = dict[str, Any]


def model(*attributes: str, namespace: str = NAMESPACE) -> bytes:
    """A document with these attributes."""
    return f'<NativeDicomModel xmlns="{namespace}">{"".join(attributes)}</NativeDicomModel>'.encode()


def attribute(tag: str, vr: str, content: str = "", extra: str = "") -> str:
    return f'<DicomAttribute tag="{tag}" vr="{vr}"{extra}>{content}</DicomAttribute>'


def private(creator: str) -> str:
    return attribute("00090002", "US", "", f' privateCreator="{creator}"')


def body(document: Json) -> str:
    """What is inside of the document element."""
    text = to_xml(document).decode()
    assert text.startswith('<?xml version="1.0" encoding="UTF-8"?>\n<NativeDicomModel xmlns=')
    return text[text.index(">", 60) + 1 : text.rindex("</NativeDicomModel>")]


CT = {"vr": "CS", "Value": ["CT"]}

PAIRS: list[tuple[Json, str]] = [
    ({}, ""),
    ({"00080050": {"vr": "SH"}}, '<DicomAttribute tag="00080050" keyword="AccessionNumber" vr="SH"></DicomAttribute>'),
    (
        {"00080008": {"vr": "CS", "Value": ["A", None, "B"]}},
        '<DicomAttribute tag="00080008" keyword="ImageType" vr="CS"><Value number="1">A</Value>'
        '<Value number="2"></Value><Value number="3">B</Value></DicomAttribute>',
    ),
    (
        {"00280010": {"vr": "US", "Value": [512]}},
        '<DicomAttribute tag="00280010" keyword="Rows" vr="US"><Value number="1">512</Value></DicomAttribute>',
    ),
    (
        {"00189073": {"vr": "FD", "Value": [0.1, -1e300, "NaN"]}},
        '<DicomAttribute tag="00189073" keyword="AcquisitionDuration" vr="FD"><Value number="1">0.1</Value>'
        '<Value number="2">-1e+300</Value><Value number="3">NaN</Value></DicomAttribute>',
    ),
    (
        {"00100010": {"vr": "PN", "Value": [{"Alphabetic": "Yamada^Tarou^^Dr.", "Ideographic": "山田^太郎"}]}},
        '<DicomAttribute tag="00100010" keyword="PatientName" vr="PN"><PersonName number="1"><Alphabetic>'
        "<FamilyName>Yamada</FamilyName><GivenName>Tarou</GivenName><NamePrefix>Dr.</NamePrefix></Alphabetic>"
        "<Ideographic><FamilyName>山田</FamilyName><GivenName>太郎</GivenName></Ideographic></PersonName></DicomAttribute>",
    ),
    (
        {"00101001": {"vr": "PN", "Value": [None, {"Alphabetic": "A^B^C^D^E^F"}]}},
        '<DicomAttribute tag="00101001" keyword="OtherPatientNames" vr="PN"><PersonName number="1"></PersonName>'
        '<PersonName number="2"><Alphabetic><FamilyName>A</FamilyName><GivenName>B</GivenName>'
        "<MiddleName>C</MiddleName><NamePrefix>D</NamePrefix><NameSuffix>E^F</NameSuffix></Alphabetic></PersonName>"
        "</DicomAttribute>",
    ),
    (
        {"00081140": {"vr": "SQ", "Value": [{"00081155": {"vr": "UI", "Value": ["1.2"]}}, {}]}},
        '<DicomAttribute tag="00081140" keyword="ReferencedImageSequence" vr="SQ"><Item number="1">'
        '<DicomAttribute tag="00081155" keyword="ReferencedSOPInstanceUID" vr="UI"><Value number="1">1.2</Value>'
        '</DicomAttribute></Item><Item number="2"></Item></DicomAttribute>',
    ),
    (
        {"7FE00010": {"vr": "OW", "BulkDataURI": 'http://x/?a=1&b="2"'}},
        '<DicomAttribute tag="7FE00010" keyword="PixelData" vr="OW">'
        "<BulkData uri='http://x/?a=1&amp;b=\"2\"'/></DicomAttribute>",
    ),
    (
        {"00282000": {"vr": "OB", "InlineBinary": "AAE="}},
        '<DicomAttribute tag="00282000" keyword="ICCProfile" vr="OB"><InlineBinary>AAE=</InlineBinary>'
        "</DicomAttribute>",
    ),
    (
        {"00204000": {"vr": "LT", "Value": ["<a> & b]]>\r\n\ttab"]}},
        '<DicomAttribute tag="00204000" keyword="ImageComments" vr="LT">'
        '<Value number="1">&lt;a&gt; &amp; b]]&gt;&#13;\n\ttab</Value></DicomAttribute>',
    ),
    (
        {"00090010": {"vr": "LO", "Value": ["A&B"]}, "00091002": {"vr": "US", "Value": [1]}},
        '<DicomAttribute tag="00090010" vr="LO"><Value number="1">A&amp;B</Value></DicomAttribute>'
        '<DicomAttribute tag="00090002" privateCreator="A&amp;B" vr="US"><Value number="1">1</Value></DicomAttribute>',
    ),
    (
        {"00091002": {"vr": "US", "Value": [1]}},  # a private element without a creator
        '<DicomAttribute tag="00091002" vr="US"><Value number="1">1</Value></DicomAttribute>',
    ),
]


@pytest.mark.parametrize(("document", "xml"), PAIRS, ids=lambda value: None)
def test_json_is_this_xml_and_back(document: Json, xml: str) -> None:
    assert body(document) == xml
    assert from_xml(to_xml(document)) == document


def test_elements_in_any_order_are_written_in_ascending_order() -> None:
    written = body({"00100020": {"vr": "LO"}, "00080060": {"vr": "CS"}})
    assert written.index("00080060") < written.index("00100020")


@pytest.mark.parametrize("text", ["\0", "\x1b", "\f", "\ud800", "\ufffe"])
def test_what_xml_cannot_hold_is_replaced(text: str) -> None:
    document = {"00204000": {"vr": "LT", "Value": [f"a{text}b"]}, "00091001": {"vr": "OB", "BulkDataURI": f"x{text}"}}
    read = from_xml(to_xml(document))
    assert read["00204000"]["Value"] == ["a\ufffdb"]
    assert read["00091001"]["BulkDataURI"] == "x\ufffd"


def test_written_documents_are_valid_xml_for_others() -> None:
    for document, _ in PAIRS:
        root = etree.fromstring(to_xml(document))
        assert root.tag == f"{{{NAMESPACE}}}NativeDicomModel"
        assert len(root) == len(document)


@pytest.mark.parametrize(
    ("xml", "expected"),
    [
        (model(attribute("0020000d", "UI", "<Value>1.2</Value>")), {"0020000D": {"vr": "UI", "Value": ["1.2"]}}),
        (
            b"<NativeDicomModel>" + attribute("00280010", "US", '<Value number="1"> 5 </Value>').encode()
            + b"</NativeDicomModel>",
            {"00280010": {"vr": "US", "Value": [5]}},
        ),
        (model('<DicomAttribute tag="00280106"/>'), {"00280106": {"vr": "US"}}),
        (model('<DicomAttribute tag="00091001"/>'), {"00091001": {"vr": "UN"}}),
        (model(attribute("00200013", "IS", "<Value>x</Value>")), {"00200013": {"vr": "IS", "Value": ["x"]}}),
        (model(attribute("00189073", "FD", "<Value>x</Value>")), {"00189073": {"vr": "FD", "Value": ["x"]}}),
        (model(attribute("00280030", "DS", "<Value>0.50</Value>")), {"00280030": {"vr": "DS", "Value": ["0.50"]}}),
        (model("\n  <!-- a comment --> <?and this?>"), {}),
        (model(attribute("00080060", "CS", "<Value><![CDATA[C]]>T</Value>")), {"00080060": CT}),
        (model(attribute("00189073", "FD", "<Value>-inf</Value>")), {"00189073": {"vr": "FD", "Value": ["-Infinity"]}}),
        (model(attribute("00189073", "FD", "<Value>1e400</Value>")), {"00189073": {"vr": "FD", "Value": ["1e400"]}}),
        (model().decode().encode("utf-16"), {}),
    ],
)  # fmt: skip
def test_reads_what_others_write(xml: bytes, expected: Json) -> None:
    assert from_xml(xml) == expected


@pytest.mark.parametrize(
    "xml",
    [
        b"",
        b"no xml",
        b"<NativeDicomModel>",
        b"<Other/>",
        model(namespace="urn:other"),
        model("text"),
        model("<Value>1</Value>"),
        model("<NativeDicomModel/>"),
        model(attribute("0010001", "PN")),
        model(attribute("0010001G", "PN")),
        model('<DicomAttribute vr="PN"/>'),
        model(attribute("00100020", "LO"), attribute("00100020", "LO")),
        model(attribute("00100020", "LO", '<Value number="2">x</Value>')),
        model(attribute("00100020", "LO", '<Value number="-1">x</Value>')),
        model(attribute("00100020", "LO", '<Value number="٣">x</Value>')),
        model(attribute("00100020", "LO", '<Value number="1000000000000">x</Value>')),
        model(attribute("00100020", "LO", "<Value>x</Value><InlineBinary>AAE=</InlineBinary>")),
        model(attribute("00100020", "LO", '<Item number="1"/>')),
        model(attribute("00100010", "PN", "<Value>x</Value>")),
        model(attribute("00081140", "SQ", "<Value>x</Value>")),
        model(attribute("7FE00010", "OW", '<BulkData uri="a"/><BulkData uri="b"/>')),
        model(attribute("7FE00010", "OW", '<BulkData uuid="a"/>')),
        model(attribute("00100010", "PN", "<PersonName><FamilyName>x</FamilyName></PersonName>")),
        model("&undefined;"),
        b'<?xml version="1.0" encoding="no-such-encoding"?><NativeDicomModel/>',
        b'<?xml version="1.0" encoding="UTF-7"?><NativeDicomModel/>',
        b'<?xml version="1.0" encoding="zlib"?><NativeDicomModel/>',
        b'<?xml version="1.0" encoding="UTF-8"?><NativeDicomModel>\xff</NativeDicomModel>',
        b"<!DOCTYPE NativeDicomModel><NativeDicomModel/>",
        b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><NativeDicomModel/>',
        b'<!DOCTYPE a [<!ENTITY x "xxxxxxxxxx"><!ENTITY y "&x;&x;&x;&x;">]><NativeDicomModel>&y;</NativeDicomModel>',
    ],
)
def test_what_is_no_native_model_is_refused(xml: bytes) -> None:
    with pytest.raises(ServerError) as caught:
        from_xml(xml)
    assert caught.value.reason is Reason.BAD_REQUEST


def nested(depth: int) -> bytes:
    open_tag, end_tag = '<DicomAttribute tag="00081140" vr="SQ"><Item number="1">', "</Item></DicomAttribute>"
    return model(open_tag * depth + end_tag * depth)


def test_depth_is_limited() -> None:
    document = from_xml(nested(64))
    for _ in range(64):
        (document,) = document["00081140"]["Value"]
    assert document == {}
    for depth in (70, 100_000):
        with pytest.raises(ServerError) as caught:
            from_xml(nested(depth))
        assert caught.value.reason is Reason.TOO_LARGE


def test_number_of_elements_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dicom_xml, "MAX_XML_ELEMENTS", 100)
    assert from_xml(model(attribute("00100020", "LO", "<Value/>" * 98)))["00100020"]["Value"] == [None] * 98
    with pytest.raises(ServerError) as caught:
        from_xml(model(attribute("00100020", "LO", "<Value/>" * 99)))
    assert caught.value.reason is Reason.TOO_LARGE


def test_long_values_take_linear_time() -> None:
    document = {"00091001": {"vr": "OB", "InlineBinary": "AAAA" * 2_000_000}}
    with at_most(5):
        assert from_xml(to_xml(document)) == document


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        # the creator has its block already
        (
            [
                attribute("00090011", "LO", "<Value>ACME</Value>"),
                private("ACME"),
            ],
            {"00090011": {"vr": "LO", "Value": ["ACME"]}, "00091102": {"vr": "US"}},
        ),
        # it gets the first free one
        (
            [
                attribute("00090010", "LO", "<Value>OTHER</Value>"),
                private("ACME"),
            ],
            {
                "00090010": {"vr": "LO", "Value": ["OTHER"]},
                "00090011": {"vr": "LO", "Value": ["ACME"]},
                "00091102": {"vr": "US"},
            },
        ),
        # two blocks of one creator
        (
            [private("ACME")] * 2,
            {
                "00090010": {"vr": "LO", "Value": ["ACME"]},
                "00090011": {"vr": "LO", "Value": ["ACME"]},
                "00091002": {"vr": "US"},
                "00091102": {"vr": "US"},
            },
        ),
    ],
)
def test_private_elements_find_their_block(attributes: list[str], expected: Json) -> None:
    assert from_xml(model(*attributes)) == expected


def test_private_blocks_are_as_many_as_fit() -> None:
    creators = [private(f"C{number}") for number in range(241)]
    assert len(from_xml(model(*creators[:-1]))) == 480
    with pytest.raises(ServerError) as caught:
        from_xml(model(*creators))
    assert caught.value.reason is Reason.BAD_REQUEST


TEXT = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), min_size=1, max_size=20
)


@given(st.lists(st.none() | TEXT, min_size=1, max_size=5))
def test_any_text_survives(values: list[str | None]) -> None:
    document = {"00081030": {"vr": "LO", "Value": values}}
    assert from_xml(to_xml(document)) == document


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for document in (data, model() + data, model(data.decode("latin-1"))):
        try:
            from_xml(document)
        except ServerError:
            continue


def json_of(file: bytes) -> Json | None:
    try:
        metadata = parse_instance(file).metadata
    except ServerError:
        return None
    document: Json = orjson.loads(metadata.replace(b"\1", b"http://server"))
    return document


def plain(value: Any) -> Any:
    """A value without what the two writers may spell otherwise: digits, outer blanks, carets behind a name."""
    if isinstance(value, str):
        try:
            return float(f"{float(value):.6g}")
        except ValueError:
            return value.strip().rstrip("^")
    if isinstance(value, int | float):
        return plain(str(value))
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items() if plain(each) != ""} or None
    return value


def differences(ours: Json, theirs: Json, path: str = "") -> list[str]:
    """Tags whose attributes differ, but for those that DCMTK is known to write otherwise."""
    found = []
    for tag in sorted(ours.keys() | theirs.keys()):
        one, other = ours.get(tag, {}), theirs.get(tag, {})
        if one == other or "BulkDataURI" in one or tag[4:] == "0000":
            continue
        if tag == "00080005" or "UN" in (one.get("vr"), other.get("vr")):
            continue  # its option for UTF-8 adds a label; it leaves alone what is unknown
        if "OW" in (one.get("vr"), other.get("vr")):
            continue  # it writes words in big endian
        if int(tag[:4], 16) % 2 and not (one and other):
            continue  # private elements without creator have other tags
        values, others = one.get("Value", []), other.get("Value", [])
        if one.get("vr") == other.get("vr") == "SQ" and len(values) == len(others):
            for number, (item, other_item) in enumerate(zip(values, others, strict=True), 1):
                found += differences(item, other_item, f"{path}{tag}/{number}/")
        elif ([plain(v) for v in values] or [None]) != ([plain(v) for v in others] or [None]):
            found.append(f"{path}{tag}: {str(one)[:80]} {str(other)[:80]}")
    return found


@pytest.mark.skipif(shutil.which("dcm2xml") is None, reason="needs DCMTK")
@pytest.mark.parametrize("path", REAL_FILES, ids=lambda path: path.name)
def test_our_model_is_that_of_dcmtk(path: Path) -> None:
    document = json_of(path.read_bytes())
    command = ["dcm2xml", "-q", "-nat", "+M", "+Eb", "+U8", "+Ca", "latin-1", str(path)]
    run = subprocess.run(command, capture_output=True, check=False)
    if document is None or run.returncode or not run.stdout:
        return  # not stored by us, or in a character set that DCMTK does not have
    assert differences(from_xml(to_xml(document)), from_xml(run.stdout)) == []


@pytest.mark.parametrize("path", REAL_FILES, ids=lambda path: path.name)
def test_real_documents_survive(path: Path) -> None:
    document = json_of(path.read_bytes())
    if document is not None:
        assert same(from_xml(to_xml(document)), document)


def same(one: Any, other: Any) -> bool:
    """Equal, where XML has room for the difference: DS stay text, carets behind a name and control characters go."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, str) and isinstance(other, int | float):
        return math.isclose(float(one), other)
    if isinstance(one, str) and isinstance(other, str):
        return one.rstrip("^") == other.rstrip("^") or "\ufffd" in one
    return one == other or (one is None and plain(other) is None)


def test_a_series_of_documents_is_quick() -> None:
    document = json_of(write_part10(make_dataset()))
    assert document is not None
    with at_most(1):
        for _ in range(100):
            to_xml(document)
