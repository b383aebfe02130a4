"""Modification: a request to modify, made once and applied to instance after instance as an edit task."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from dicomweb_server.dicom.attribute_path import is_private
from dicomweb_server.dicom.charset import Charset, charset_of
from dicomweb_server.dicom.edit import Note, Task
from dicomweb_server.dicom.edit_plan import EditPlan, plan_rules
from dicomweb_server.dicom.edit_rules import LevelRules
from dicomweb_server.dicom.edit_value import EditValue
from dicomweb_server.dicom.elements import creator_name, walk
from dicomweb_server.dicom.header import Header
from dicomweb_server.dicom.text_encoding import SPECIFIC_CHARACTER_SET, UTF8_LABEL, charset_named
from dicomweb_server.dicom.uid_mapping import UidRules
from dicomweb_server.errors import Reason, ServerError

_PATIENT_NAME, _PATIENT_ID, _SOP_CLASS_UID = 0x00100010, 0x00100020, 0x00080016
_UTF8 = EditValue(SPECIFIC_CHARACTER_SET, "CS", text=UTF8_LABEL.decode("ascii"))
_LONGEST = 1 << 16  # of the values that an outline keeps


@dataclass(frozen=True, slots=True)
class Outline:
    """What has to be known of an instance before it is edited: raw values and private creators of its top level."""

    values: Mapping[int, bytes]
    creators: Mapping[int, str]  # by the tag of the element that reserves the block

    @property
    def charset(self) -> Charset:
        """Of the data set."""
        return charset_of(self.values.get(SPECIFIC_CHARACTER_SET, b""))

    def text(self, tag: int) -> str:
        """A value without its padding."""
        return self.charset.decode(self.values.get(tag, b"")).strip(" \0")


_ALWAYS = frozenset({SPECIFIC_CHARACTER_SET, _SOP_CLASS_UID, _PATIENT_NAME, _PATIENT_ID})


def outline(header: Header, tags: frozenset[int] = _ALWAYS, *, last: int = _PATIENT_ID) -> Outline:
    """The values of some tags and all private creators, up to the tag `last`."""
    values: dict[int, bytes] = {}
    creators: dict[int, str] = {}
    for element in walk(header.buffer, header.start, header.end, header.encoding):
        if element.tag > last:
            break
        if element.tag in tags:
            values.setdefault(element.tag, header.buffer[element.start : min(element.end, element.start + _LONGEST)])
        elif is_private(element.tag) and 0x10 <= element.tag & 0xFFFF <= 0xFF:
            creators[element.tag] = creator_name(header.buffer[element.start : min(element.end, element.start + 64)])
    return Outline(values, creators)


@dataclass(frozen=True, slots=True)
class Modification:
    """Wishes, and the UIDs that become others wherever they are referred to."""

    plan: EditPlan
    uids: Mapping[str, str] = field(default_factory=dict)
    _rules: list[LevelRules] = field(default_factory=list, compare=False, repr=False)

    @property
    def is_uniform(self) -> bool:
        """Whether tasks depend on nothing but character set, SOP class, private creators and patient."""
        return True

    def task(self, header: Header, note: Note | None = None) -> Task:
        """What is to be done to an instance."""
        if not self._rules:
            self._rules.append(plan_rules(self.plan, UidRules(self.uids) if self.uids else None))
        seen = outline(header, last=0xFFFFFFFF if self.plan.creator else _PATIENT_ID)
        inserts = inserts_of(self.plan, seen)
        task = Task(rules=self._rules[0], inserts=inserts, patient=patient_of(inserts, seen), note=note)
        return written_in(task, self.plan, seen)


def written_in(task: Task, plan: EditPlan, seen: Outline) -> Task:
    """The task with the character set that its new values need: that of the instance if it can say them all."""
    named = next((value for value in task.inserts if value.tag == SPECIFIC_CHARACTER_SET), None)
    if named is not None:
        charset = charset_named(named.text or "")
        if charset is None or not all(value.is_sayable(charset) for value in plan.values):
            problem = "SpecificCharacterSet: expected a single term such as ISO_IR 192 that can say the new values"
            raise ServerError(Reason.BAD_REQUEST, problem)
        return replace(task, charset=charset)
    if all(value.is_sayable(seen.charset) for value in plan.values):
        return task
    inserts = tuple(sorted((_UTF8, *task.inserts), key=lambda value: value.tag))
    return replace(task, inserts=inserts, charset=charset_of(UTF8_LABEL))


def patient_of(inserts: tuple[EditValue, ...], seen: Outline) -> tuple[str, str]:
    """ID and name of the patient in the result."""
    new = {value.tag: value.text or "" for value in inserts}
    return (
        new.get(_PATIENT_ID, seen.text(_PATIENT_ID)).strip(" "),
        new.get(_PATIENT_NAME, seen.text(_PATIENT_NAME)).strip(" "),
    )


def inserts_of(plan: EditPlan, seen: Outline) -> tuple[EditValue, ...]:
    """The new elements of a data set; private ones in a block that their creator has in it, or gets (PS3.5 §7.8.1)."""
    if not plan.creator:
        return plan.inserts
    found: dict[int, EditValue] = {}
    reserved: dict[int, str] = dict(seen.creators)
    for value in plan.inserts:
        tag = value.tag
        if not is_private(tag) or tag & 0xFFFF < 0x1000:
            found[tag] = value
            continue
        block = _block(plan.creator, tag, reserved)
        reserving = tag & 0xFFFF0000 | block
        if seen.creators.get(reserving) != plan.creator:
            found[reserving] = EditValue(reserving, "LO", text=plan.creator)
        reserved[reserving] = plan.creator
        placed = tag & 0xFFFF00FF | block << 8
        found[placed] = replace(value, tag=placed)
    return tuple(found[tag] for tag in sorted(found))


def _block(creator: str, tag: int, reserved: Mapping[int, str]) -> int:
    """The block of a creator in the group of a tag: the one it has, the one that was asked for, or a free one."""
    group = tag & 0xFFFF0000
    own = [place & 0xFF for place, name in reserved.items() if place & 0xFFFF0000 == group and name == creator]
    if own:
        return min(own)
    wanted = tag >> 8 & 0xFF
    free = [block for block in (wanted, *range(0x10, 0x100)) if block >= 0x10 and group | block not in reserved]
    if not free:
        raise ServerError(Reason.BAD_REQUEST, f"all private blocks of group {tag >> 16:04x} are taken")
    return int(free[0])
