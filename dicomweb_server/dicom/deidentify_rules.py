"""De-identification rules: the Basic Profile of PS3.15 §E with its options, as rules for data sets and their items."""

from collections.abc import Callable
from dataclasses import dataclass

from dicomweb_server.dicom.attribute_path import is_private_creator
from dicomweb_server.dicom.clean_text import cleaned
from dicomweb_server.dicom.content_rules import content_rules
from dicomweb_server.dicom.deidentify_actions import Row, action_of, basic_action, row_of, type_of
from dicomweb_server.dicom.deidentify_options import Option
from dicomweb_server.dicom.dictionary import public_vr
from dicomweb_server.dicom.dummy_values import dummy, dummy_change
from dicomweb_server.dicom.edit_path import PATIENT_ID
from dicomweb_server.dicom.edit_rules import EMPTY, REMOVE, LevelRules, Outcome, Rule, Site
from dicomweb_server.dicom.pseudonyms import Pseudonyms
from dicomweb_server.dicom.safe_private import is_safe, is_safe_creator
from dicomweb_server.dicom.shifted_dates import shift_values
from dicomweb_server.dicom.text_encoding import encoded_text
from dicomweb_server.dicom.uid_mapping import uid_change
from dicomweb_server.dicom.value_field import padded

PATIENT_NAME = 0x00100010
_PLANES = (0x50, 0x60)  # curves and overlays
_DOCUMENT_LENGTH, _TIMEZONE = 0x00420015, 0x00080201
# AcquisitionContextSequence, SpecimenPreparationStepContentItemSequence, and so on: sequences of content items.
CONTENT_SEQUENCES = frozenset({0x0040A730, 0x00400555, 0x00400610, 0x00400612, 0x0040B020})
# What people write freely, and what tells when: dummies where a sequence must stay but tell nothing.
TELLING_VRS = frozenset({"AE", "AS", "DA", "DT", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UR", "UT"})


@dataclass(frozen=True, slots=True)
class Facts:
    """What the rules need to know of an instance. `words`: those to be looked for in descriptions.

    `safe_blocks`: (group, creator) that the instance itself declares to be safe.
    """

    sop_class_uid: str
    patient_id: str
    words: frozenset[str] = frozenset()
    safe_blocks: frozenset[tuple[int, str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Profile:
    """The options, and what makes pseudonyms. `keeps_private`: all private attributes stay, as clients may ask."""

    options: frozenset[Option]
    pseudonyms: Pseudonyms
    keeps_private: bool = False

    def has(self, option: Option) -> bool:
        """Whether an option is asked for."""
        return option in self.options


class ProfileRules(LevelRules):
    """The rules of the profile for one level. `sop_class_uid`: of a data set; None for items, whose types vary."""

    has_within = True

    def __init__(self, profile: Profile, sop_class_uid: str | None, items: "ItemRules") -> None:
        super().__init__()
        self.profile = profile
        self._sop_class_uid = sop_class_uid
        self._items = items

    def resolve(self, tag: int) -> Rule | None:
        """What becomes of a tag."""
        if tag >> 16 & 1:
            return self._private(tag)
        row = row_of(tag)
        if tag == _DOCUMENT_LENGTH or tag >> 24 in _PLANES:
            return REMOVE  # of the document that was; and without its data a plane makes no sense
        if row is None:
            return REMOVE if public_vr(tag) == "UN" else None  # of no edition that we know
        return self._listed(tag, row)

    def within(self, tag: int, item: int) -> LevelRules | None:
        """The rules of items."""
        del tag, item
        return self._items.plain

    def _private(self, tag: int) -> Rule | None:
        if self.profile.keeps_private:
            return None
        if not self.profile.has(Option.RETAIN_SAFE_PRIVATE):
            return REMOVE
        return Rule(Outcome.REMOVED, _safe_creator if is_private_creator(tag) else _safe_private)

    def _listed(self, tag: int, row: Row) -> Rule | None:
        type_ = None if self._sop_class_uid is None else type_of(self._sop_class_uid, tag)
        action = action_of(row, self.profile.options, type_)
        if action == "C":
            return self._clean(tag, basic_action(row[0], type_))
        return self._plain(tag, action)

    def _plain(self, tag: int, action: str) -> Rule | None:
        vr = public_vr(tag)
        if action == "K":
            return None
        if action == "X":
            return REMOVE
        if action == "U":
            return None if vr == "SQ" else Rule(Outcome.REMAPPED, uid_change(self.profile.pseudonyms.uid))
        if tag in (PATIENT_ID, PATIENT_NAME):
            return self._pseudonym(tag)
        if action == "Z":
            return EMPTY
        if vr == "SQ":
            return self._items.dummy(tag)
        if vr == "UI":
            return Rule(Outcome.REMAPPED, uid_change(self.profile.pseudonyms.uid))
        return Rule(Outcome.REPLACED, dummy_change)

    def _pseudonym(self, tag: int) -> Rule:
        pseudonyms = self.profile.pseudonyms
        return Rule(
            Outcome.REPLACED,
            _of_patient(pseudonyms.patient_id if tag == PATIENT_ID else pseudonyms.patient_name),
        )

    def _clean(self, tag: int, basic: str) -> Rule | None:
        """Clean by what the attribute is; where we cannot, as the Basic Profile says."""
        vr = public_vr(tag)
        if vr in ("DA", "DT"):
            return Rule(Outcome.SHIFTED, _shift(self.profile.pseudonyms))
        if vr == "TM":
            return None  # shifts are of whole days
        if vr == "SQ":
            return self._items.clean(tag)
        if vr in ("LO", "LT", "PN", "SH", "ST", "UC", "UT") and tag != _TIMEZONE:
            return Rule(Outcome.CLEANED, _clean_text(basic))
        return self._plain(tag, basic)


class ItemRules:
    """The rules for what is in sequences: `plain` for those that stay, others for those that are listed."""

    def __init__(self, profile: Profile) -> None:
        self.plain = ProfileRules(profile, None, self)
        self._telling = _TellingRules(self.plain, Rule(Outcome.REPLACED, dummy_change))
        self._cleaning = _TellingRules(self.plain, Rule(Outcome.CLEANED, _clean_text("D")), cleans=True)
        self._content = content_rules(self.plain, self._telling, profile.options)

    def dummy(self, tag: int) -> Rule:
        """A sequence that must stay but may tell nothing: its items with dummies for all that people write."""
        del tag
        return Rule(Outcome.REPLACED, items=self._telling)

    def clean(self, tag: int) -> Rule:
        """A sequence to be cleaned."""
        from_content = tag in CONTENT_SEQUENCES
        return Rule(Outcome.CLEANED, items=self._content if from_content else self._cleaning)


class _TellingRules(LevelRules):
    """Like the plain rules, and what is told freely becomes something else too."""

    has_within = True

    def __init__(self, plain: LevelRules, rule: Rule, *, cleans: bool = False) -> None:
        super().__init__()
        self._plain = plain
        self._rule = rule
        self._vrs = TELLING_VRS - {"DA", "DT", "TM", "AE"} if cleans else TELLING_VRS

    def resolve(self, tag: int) -> Rule | None:
        """What becomes of a tag."""
        rule = self._plain.table[tag]
        if rule is not None or public_vr(tag) not in self._vrs or tag in _CODE_TAGS:
            return rule
        return self._rule

    def within(self, tag: int, item: int) -> LevelRules | None:
        """The same in items, but codes of concepts stay."""
        del item
        return self._plain if tag in _CONCEPTS else self


# Coding schemes are no secrets; concept names and units tell nothing about a person.
_CODE_TAGS = frozenset({0x00080102, 0x00080103})
_CONCEPTS = frozenset({0x0040A043, 0x0040A504, 0x004008EA, 0x0040A170})


def _of_patient(make: Callable[[str], str]) -> Callable[[bytes, int, str, Site], bytes]:
    def change(raw: bytes, tag: int, vr: str, site: Site) -> bytes:
        del raw, tag
        return padded(make(site.facts.patient_id).encode("ascii"), vr)

    return change


def _shift(pseudonyms: Pseudonyms) -> Callable[[bytes, int, str, Site], bytes]:
    def change(raw: bytes, tag: int, vr: str, site: Site) -> bytes:
        if not raw.strip(b" \0\\"):
            return raw
        return shift_values(raw, pseudonyms.days(site.facts.patient_id), lambda: dummy(tag, site.known_vr(tag, vr)))

    return change


def _clean_text(basic: str) -> Callable[[bytes, int, str, Site], bytes | None]:
    def change(raw: bytes, tag: int, vr: str, site: Site) -> bytes | None:
        known = site.known_vr(tag, vr)
        text = (site.charset.decode_name if known == "PN" else site.charset.decode)(raw).strip(" \0")
        new = cleaned(text, site.facts.words)
        if new == text:
            return raw
        encoded = encoded_text(new, site.target)
        if new and encoded is not None:
            return padded(encoded, vr)
        return {"X": None, "Z": b""}.get(basic, dummy(tag, known))

    return change


def _safe_private(raw: bytes, tag: int, vr: str, site: Site) -> bytes | None:
    del vr
    creator = site.creator(tag)
    declared = (tag >> 16, creator) in site.facts.safe_blocks
    return raw if creator and (declared or is_safe(creator, tag)) else None


def _safe_creator(raw: bytes, tag: int, vr: str, site: Site) -> bytes | None:
    del vr
    creator = raw.strip(b" \0").decode("latin-1")
    return raw if (tag >> 16, creator) in site.facts.safe_blocks or is_safe_creator(creator, tag >> 16) else None
