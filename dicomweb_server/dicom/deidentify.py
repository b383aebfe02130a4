"""De-identify: PS3.15 §E with what a client wants besides, made once and applied to instance after instance."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from dicomweb_server.dicom.clean_text import words_of
from dicomweb_server.dicom.deidentify_options import BASIC_PROFILE, Option
from dicomweb_server.dicom.deidentify_rules import PATIENT_NAME, Facts, ItemRules, Profile, ProfileRules
from dicomweb_server.dicom.deidentify_table import EDITION
from dicomweb_server.dicom.edit import Note, Task
from dicomweb_server.dicom.edit_path import PATIENT_ID
from dicomweb_server.dicom.edit_plan import EditPlan, plan_rules
from dicomweb_server.dicom.edit_rules import LevelRules
from dicomweb_server.dicom.edit_value import EditValue
from dicomweb_server.dicom.elements import items, walk
from dicomweb_server.dicom.header import Header
from dicomweb_server.dicom.modification import Outline, inserts_of, outline, patient_of, written_in
from dicomweb_server.dicom.uids import IMPLEMENTATION_VERSION_NAME, uid_from

_SOP_CLASS_UID = 0x00080016
_PRIVATE_CHARACTERISTICS = 0x00080300
_MAX_SOP_CLASSES = 256
# Beside names of persons: numbers, places and devices that a description may repeat (PS3.15 §E.3.6).
_TELLING = frozenset(
    {0x00080050, 0x00080080, 0x00080081, 0x00081010, 0x00081040, 0x00100020, 0x00101000, 0x00101040, 0x00102154}
    | {0x00102299, 0x00200010, 0x00380010, 0x00380300, 0x00380400, 0x00401001, 0x00181000, 0x00321030}
)
METHOD = f"{IMPLEMENTATION_VERSION_NAME} - PS3.15-{EDITION} Table E.1-1 Basic Profile"


@dataclass(frozen=True, slots=True)
class Deidentification:
    """The profile, and the wishes that go before it."""

    plan: EditPlan
    profile: Profile
    _rules: dict[str, LevelRules] = field(default_factory=dict, compare=False, repr=False)
    _items: list[ItemRules] = field(default_factory=list, compare=False, repr=False)

    @property
    def is_uniform(self) -> bool:
        """Whether tasks depend on nothing but character set, SOP class, private creators and patient."""
        return not self.profile.options & _CLEANING

    def task(self, header: Header, note: Note | None = None) -> Task:
        """What is to be done to an instance."""
        seen = self._outline(header)
        sop_class_uid = uid_from(seen.values.get(_SOP_CLASS_UID, b""))
        safe = frozenset(_declared_safe(header)) if self.profile.has(Option.RETAIN_SAFE_PRIVATE) else frozenset()
        facts = Facts(sop_class_uid, seen.text(PATIENT_ID), self._words(header, seen), safe)
        by_tag = {value.tag: value for value in (*self._marks(facts), *inserts_of(self.plan, seen))}
        inserts = tuple(by_tag[tag] for tag in sorted(by_tag))
        task = Task(
            rules=self._rules_for(sop_class_uid),
            inserts=inserts,
            facts=facts,
            patient=patient_of(inserts, seen),
            keep_file_meta=False,
            note=note,
        )
        return written_in(task, self.plan, seen)

    def _outline(self, header: Header) -> Outline:
        if self.profile.options & _CLEANING or self.plan.creator:
            return outline(header, _TELLING | {0x00080005, _SOP_CLASS_UID, PATIENT_ID, PATIENT_NAME}, last=0xFFFFFFFF)
        return outline(header)

    def _words(self, header: Header, seen: Outline) -> frozenset[str]:
        if not self.profile.options & _CLEANING:
            return frozenset()
        names = [
            seen.charset.decode_name(header.buffer[element.start : element.end])
            for element in walk(header.buffer, header.start, header.end, header.encoding)
            if element.vr == "PN"
        ]
        return words_of([*names, *(seen.text(tag) for tag in _TELLING)])

    def _rules_for(self, sop_class_uid: str) -> LevelRules:
        rules = self._rules.get(sop_class_uid)
        if rules is None:
            if not self._items:
                self._items.append(ItemRules(self.profile))
            rules = plan_rules(self.plan, ProfileRules(self.profile, sop_class_uid, self._items[0]))
            if len(self._rules) < _MAX_SOP_CLASSES:
                self._rules[sop_class_uid] = rules
        return rules

    def _marks(self, facts: Facts) -> Iterator[EditValue]:
        """The patient's pseudonyms, and what says that and how the data set was de-identified (PS3.15 §E.1.1)."""
        pseudonyms = self.profile.pseudonyms
        marks = {
            PATIENT_NAME: EditValue(PATIENT_NAME, "PN", text=pseudonyms.patient_name(facts.patient_id)),
            PATIENT_ID: EditValue(PATIENT_ID, "LO", text=pseudonyms.patient_id(facts.patient_id)),
            0x00120062: EditValue(0x00120062, "CS", text="YES"),
            0x00280303: EditValue(0x00280303, "CS", text=self._temporal),
        }
        # What is kept on request beyond the options makes the claim of a profile untrue.
        if not self.plan.keep and not self.profile.keeps_private:
            marks[0x00120063] = EditValue(0x00120063, "LO", text=METHOD)
            marks[0x00120064] = EditValue(0x00120064, "SQ", items=tuple(self._codes()))
        yield from (mark for tag, mark in marks.items() if not self.plan.keeps(tag) and not self.plan.removes(tag))

    @property
    def _temporal(self) -> str:
        if self.profile.has(Option.RETAIN_FULL_DATES):
            return "UNMODIFIED"
        return "MODIFIED" if self.profile.has(Option.RETAIN_MODIFIED_DATES) else "REMOVED"

    def _codes(self) -> Iterator[tuple[EditValue, ...]]:
        chosen = [(option.code, option.meaning) for option in Option if self.profile.has(option)]
        for code, meaning in [BASIC_PROFILE, *chosen]:
            yield (
                EditValue(0x00080100, "SH", text=code),
                EditValue(0x00080102, "SH", text="DCM"),
                EditValue(0x00080104, "LO", text=meaning),
            )


_CLEANING = frozenset(
    {Option.CLEAN_DESCRIPTORS, Option.CLEAN_STRUCTURED_CONTENT, Option.RETAIN_PATIENT_CHARACTERISTICS}
)


def _declared_safe(header: Header) -> Iterator[tuple[int, str]]:
    """The (group, creator) of private blocks that the instance declares free of identity (PS3.3 §C.12.1.1.7)."""
    for element in walk(header.buffer, header.start, header.end, header.encoding):
        if element.tag > _PRIVATE_CHARACTERISTICS:
            return
        if element.tag != _PRIVATE_CHARACTERISTICS or element.vr != "SQ":
            continue
        for start, end in items(header.buffer, element, header.encoding):
            group, creator, status = -1, "", b""
            for inner in walk(header.buffer, start, end, header.encoding):
                raw = header.buffer[inner.start : min(inner.end, inner.start + 64)]
                if inner.tag == 0x00080301:
                    group = int.from_bytes(raw[:2], "little" if header.encoding.little_endian else "big")
                elif inner.tag == 0x00080302:
                    creator = raw.strip(b" \0").decode("latin-1")
                elif inner.tag == 0x00080303:
                    status = raw.strip(b" \0")
            if status == b"SAFE":
                yield group, creator
