"""PURE: what storage commitment says in data sets (PS3.4 annex J): a request's references, a report's results."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dicomweb_server.dicom.data_set_json import data_set_json
from dicomweb_server.dicom.element_head import element_head, implicit_head, item_head
from dicomweb_server.dicom.elements import items, walk
from dicomweb_server.dicom.scheduled import items_of, text_of
from dicomweb_server.dicom.uids import IMPLICIT_VR_LITTLE_ENDIAN, is_valid_uid, transfer_syntax, uid_from
from dicomweb_server.dicom.value_field import padded
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.services.modalities import Reference

PUSH_MODEL_INSTANCE = "1.2.840.10008.1.20.1.1"  # the well-known SOP instance
REQUEST_ACTION = 1
ALL_COMMITTED, SOME_FAILED = 1, 2  # event types
LARGEST_REQUEST = 32 << 20

_TRANSACTION_UID = 0x00081195
_REFERENCED, _FAILED = 0x00081199, 0x00081198
_CLASS_UID, _INSTANCE_UID, _FAILURE_REASON = 0x00081150, 0x00081155, 0x00081197
_RETRIEVE_AE_TITLE = 0x00080054
_PROCESSING_FAILURE = 0x0110


@dataclass(frozen=True, slots=True)
class CommitmentRequest:
    """What a peer wants us to answer for."""

    transaction_uid: str
    references: tuple[Reference, ...]

    def dataset(self, transfer_syntax_uid: str) -> bytes:
        """The action information (PS3.4 table J.3-1)."""
        writer = _Writer(transfer_syntax_uid)
        return writer.text(_TRANSACTION_UID, "UI", self.transaction_uid) + writer.sequence(
            _REFERENCED, [writer.reference(each) for each in self.references]
        )


def read_request(data: bytes, transfer_syntax_uid: str) -> CommitmentRequest:
    """The action information of an N-ACTION (PS3.4 table J.3-1); ServerError(BAD_REQUEST) if it is none."""
    encoding = transfer_syntax(transfer_syntax_uid).encoding
    transaction_uid, references = "", []
    for element in walk(data, 0, len(data), encoding):
        if element.tag == _TRANSACTION_UID:
            transaction_uid = uid_from(data[element.start : element.end])
        elif element.tag == _REFERENCED and element.vr == "SQ":
            for start, end in items(data, element, encoding):
                inner = {each.tag: data[each.start : each.end] for each in walk(data, start, end, encoding, depth=1)}
                references.append(Reference(*(uid_from(inner.get(tag, b"")) for tag in (_CLASS_UID, _INSTANCE_UID))))
    if not is_valid_uid(transaction_uid) or not references:
        raise ServerError(Reason.BAD_REQUEST, "expected a Transaction UID and a Referenced SOP Sequence")
    if not all(is_valid_uid(each.sop_class_uid) and is_valid_uid(each.instance_uid) for each in references):
        raise ServerError(Reason.BAD_REQUEST, "an item of the Referenced SOP Sequence has no UIDs")
    return CommitmentRequest(transaction_uid, tuple(references))


@dataclass(frozen=True, slots=True)
class ToldReport:
    """What another answers for, and what not, with the Failure Reasons."""

    transaction_uid: str
    committed: tuple[Reference, ...]
    failed: tuple[tuple[Reference, int], ...]


def read_report(data: bytes, transfer_syntax_uid: str) -> ToldReport:
    """The event information of an N-EVENT-REPORT (PS3.4 table J.3-2); ServerError if it is none."""
    document = data_set_json(data, transfer_syntax_uid)
    transaction_uid = text_of(document, f"{_TRANSACTION_UID:08X}")
    if not is_valid_uid(transaction_uid):
        raise ServerError(Reason.BAD_REQUEST, "expected a Transaction UID")
    return ToldReport(
        transaction_uid,
        tuple(_reference(item) for item in items_of(document, f"{_REFERENCED:08X}")),
        tuple((_reference(item), _failure_reason(item)) for item in items_of(document, f"{_FAILED:08X}")),
    )


def _reference(item: Mapping[str, Any]) -> Reference:
    return Reference(text_of(item, f"{_CLASS_UID:08X}"), text_of(item, f"{_INSTANCE_UID:08X}"))


def _failure_reason(item: Mapping[str, Any]) -> int:
    text = text_of(item, f"{_FAILURE_REASON:08X}")
    return int(text) if text.isdecimal() else _PROCESSING_FAILURE


@dataclass(frozen=True, slots=True)
class CommitmentReport:
    """What we answer for, and what not."""

    request: CommitmentRequest
    failures: Sequence[int]  # Failure Reasons, 0 for an instance that we answer for
    retrieve_ae_title: str

    @property
    def event_type_id(self) -> int:
        """Of the N-EVENT-REPORT that tells it."""
        return SOME_FAILED if any(self.failures) else ALL_COMMITTED

    def dataset(self, transfer_syntax_uid: str) -> bytes:
        """The event information (PS3.4 table J.3-2)."""
        writer = _Writer(transfer_syntax_uid)
        judged = list(zip(self.request.references, self.failures, strict=True))
        committed = [writer.reference(each) for each, failure in judged if not failure]
        failed = [
            writer.reference(each) + writer.number(_FAILURE_REASON, failure) for each, failure in judged if failure
        ]
        elements = [
            writer.text(_RETRIEVE_AE_TITLE, "AE", self.retrieve_ae_title),
            writer.text(_TRANSACTION_UID, "UI", self.request.transaction_uid),
        ]
        elements += [writer.sequence(_FAILED, failed)] if failed else []
        elements += [writer.sequence(_REFERENCED, committed)] if committed else []
        return b"".join(elements)


class _Writer:
    """Elements in one of the two encodings of identifiers."""

    def __init__(self, transfer_syntax_uid: str) -> None:
        self._head = implicit_head if transfer_syntax_uid == IMPLICIT_VR_LITTLE_ENDIAN else element_head

    def text(self, tag: int, vr: str, text: str) -> bytes:
        return self._element(tag, vr, padded(text.encode("ascii"), vr))

    def number(self, tag: int, value: int) -> bytes:
        return self._element(tag, "US", value.to_bytes(2, "little"))

    def reference(self, reference: Reference) -> bytes:
        uids = ((_CLASS_UID, reference.sop_class_uid), (_INSTANCE_UID, reference.instance_uid))
        return b"".join(self.text(tag, "UI", uid) for tag, uid in uids)

    def sequence(self, tag: int, contents: Sequence[bytes]) -> bytes:
        return self._element(tag, "SQ", b"".join(_items(contents)))

    def _element(self, tag: int, vr: str, content: bytes) -> bytes:
        return self._head(tag, vr, len(content)) + content


def _items(contents: Sequence[bytes]) -> Iterator[bytes]:
    for content in contents:
        yield item_head(len(content))
        yield content
