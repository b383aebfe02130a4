"""Admission: reads one staged instance and decides whether it may be stored. Runs in a worker; touches no index."""

import hashlib
import logging
import mmap
import traceback
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import NamedTuple, Protocol

from dicomweb_server.dicom.instance import parse_instance
from dicomweb_server.dicom.part10 import (
    MEDIA_STORAGE_SOP_CLASS_UID,
    MEDIA_STORAGE_SOP_INSTANCE_UID,
    TRANSFER_SYNTAX_UID,
    read_file_meta,
)
from dicomweb_server.dicom.record import InstanceRecord, ParsedInstance
from dicomweb_server.dicom.uid_patterns import NONE, UidPatterns
from dicomweb_server.dicom.uids import is_valid_uid, uid_from
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.ports.blobs import Staged
from dicomweb_server.ports.index import OnDuplicate

_log = logging.getLogger(__name__)

_PREAMBLE = 128
_NO_PREAMBLE = bytes(_PREAMBLE)
_FILE_META = 4096  # where the identifiers of every real file meta information are
# A preamble that makes the file a TIFF too (PS3.10 §7.1 allows it); others serve no reader of DICOM.
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


class Preamble(Enum):
    """What becomes of the 128 bytes before "DICM", where a program or a script may hide."""

    CLEARED = "cleared"  # unless it is that of a TIFF file
    KEPT = "kept"


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestPolicy:
    """What is stored, whatever door it comes through. `accepted_sop_classes`: empty means all."""

    on_duplicate: OnDuplicate = OnDuplicate.KEEP
    accepted_sop_classes: UidPatterns = NONE
    rejected_sop_classes: UidPatterns = NONE
    max_instance_size: int = 2**34
    preamble: Preamble = Preamble.CLEARED
    extra_tags: frozenset[int] = field(default=frozenset())  # further tags to index

    def stores(self, sop_class_uid: str) -> bool:
        """Whether instances of a SOP class are stored."""
        is_accepted = not self.accepted_sop_classes or sop_class_uid in self.accepted_sop_classes
        return is_accepted and sop_class_uid not in self.rejected_sop_classes


Group = Sequence[tuple[Staged, str | None]]  # what is staged in memory, and the study that is expected


class Admitted(NamedTuple):
    """An instance that may be stored."""

    staged: Staged
    parsed: ParsedInstance
    digest: bytes  # b"": it is in memory and was not hashed


@dataclass(frozen=True, slots=True)
class Refused:
    """Why not, and its record as far as it could be read."""

    reason: Reason
    detail: str
    record: InstanceRecord | None = None


class GroupReader(Protocol):
    """Reads groups of small instances elsewhere than under this interpreter's lock."""

    def start(self) -> None:
        """Begin to get ready; returns at once."""

    def read(self, group: Group, policy: IngestPolicy) -> list[Admitted | Refused]:
        """What `admit` says of each; waits for it."""


def admit(staged: Staged, expected_study_uid: str | None, policy: IngestPolicy) -> Admitted | Refused:
    """Parse, hash and judge one instance; never raises."""
    return _admitted(staged, expected_study_uid, policy, _with_digest)


def admit_unhashed(staged: Staged, expected_study_uid: str | None, policy: IngestPolicy) -> Admitted | Refused:
    """The same, but what is in memory is hashed by the index, which may do that after the answer."""
    return _admitted(staged, expected_study_uid, policy, lambda one: one if one.data is not None else _with_digest(one))


def _admitted(
    staged: Staged, expected_study_uid: str | None, policy: IngestPolicy, hashed: Callable[[Staged], Staged]
) -> Admitted | Refused:
    try:
        if staged.size > policy.max_instance_size:
            detail = f"the instance has {staged.size} bytes, the limit is {policy.max_instance_size}"
            return Refused(Reason.TOO_LARGE, detail)
        staged = hashed(without_preamble(staged, policy))
        parsed = _parse(staged, policy)
    except ServerError as error:
        return Refused(error.reason, error.detail, _named_in_file_meta(staged))
    except Exception as error:  # an edge: one instance must not fail the others
        _log.error("an instance could not be read: %s", without_message(error))
        return Refused(Reason.INTERNAL, "the server failed to read this instance")
    return _judge(staged, parsed, expected_study_uid, policy)


def _named_in_file_meta(staged: Staged) -> InstanceRecord | None:
    """What an instance says it is before its data set, so that the sender can tell which one was refused."""
    try:
        values, _ = read_file_meta(_head(staged, _FILE_META))
    except ServerError:
        return None
    tags = (MEDIA_STORAGE_SOP_INSTANCE_UID, MEDIA_STORAGE_SOP_CLASS_UID, TRANSFER_SYNTAX_UID)
    uids = [uid_from(values.get(tag, b"")) for tag in tags]
    instance_uid, sop_class_uid, transfer_syntax_uid = (uid if is_valid_uid(uid) else "" for uid in uids)
    if not instance_uid:
        return None
    return InstanceRecord("", "", instance_uid, sop_class_uid, transfer_syntax_uid, {})


def _judge(
    staged: Staged, parsed: ParsedInstance, expected_study_uid: str | None, policy: IngestPolicy
) -> Admitted | Refused:
    record = parsed.record
    if expected_study_uid is not None and record.study_uid != expected_study_uid:
        detail = f"the instance belongs to study {record.study_uid}, the request is for {expected_study_uid}"
        return Refused(Reason.WRONG_STUDY, detail, record)
    sop_class_uid = record.sop_class_uid
    if not policy.stores(sop_class_uid):
        return Refused(Reason.UNSUPPORTED_SOP_CLASS, f"this server does not store SOP class {sop_class_uid}", record)
    return Admitted(staged, parsed, staged.digest or b"")


def _parse(staged: Staged, policy: IngestPolicy) -> ParsedInstance:
    if staged.data is not None:
        return parse_instance(staged.data, extra=policy.extra_tags)
    assert staged.path is not None
    if staged.size == 0:
        raise ServerError(Reason.NOT_DICOM, "there are no bytes")
    with staged.path.open("rb") as file, closing(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)) as mapped:
        return parse_instance(mapped, extra=policy.extra_tags)


def without_preamble(staged: Staged, policy: IngestPolicy) -> Staged:
    """The instance with an empty preamble; its digest is unknown again if that changed it."""
    if policy.preamble is Preamble.KEPT:
        return staged
    head = _head(staged, _PREAMBLE + 4)
    is_part10 = head[_PREAMBLE : _PREAMBLE + 4] == b"DICM"
    if not is_part10 or head.startswith(_NO_PREAMBLE) or head.startswith(_TIFF):
        return staged
    if staged.data is not None:
        return replace(staged, data=_NO_PREAMBLE + staged.data[_PREAMBLE:], digest=None)
    assert staged.path is not None
    with staged.path.open("r+b") as file:
        file.write(_NO_PREAMBLE)
    return replace(staged, digest=None)


def _head(staged: Staged, length: int) -> bytes:
    if staged.data is not None:
        return staged.data[:length]
    assert staged.path is not None
    with staged.path.open("rb") as file:
        return file.read(length)


def _with_digest(staged: Staged) -> Staged:
    if staged.digest is not None:
        return staged
    if staged.data is not None:
        digest = hashlib.sha256(staged.data).digest()
        return Staged(staged.size, digest, staged.data, token=staged.token)  # `replace` takes three times as long
    assert staged.path is not None
    with staged.path.open("rb") as file:
        return replace(staged, digest=hashlib.file_digest(file, "sha256").digest())


def without_message(error: BaseException) -> str:
    """An unexpected error for the log: where it happened, but not its message, which may hold a value of a patient."""
    return "".join([type(error).__name__, "\n", *traceback.format_tb(error.__traceback__)]).rstrip()
