"""UID mapping: UIDs replaced wherever a data set refers to them, in nested items too."""

from collections.abc import Callable, Mapping

from dicomweb_server.dicom.dictionary import public_vr
from dicomweb_server.dicom.edit_rules import Change, LevelRules, Outcome, Rule, Site
from dicomweb_server.dicom.value_field import padded


def uid_change(new_uid: Callable[[str], str]) -> Change:
    """Each UID of a value becomes another one."""

    def change(raw: bytes, tag: int, vr: str, site: Site) -> bytes:
        del tag, vr, site
        old = raw.rstrip(b" \0").decode("ascii", "replace")
        new = "\\".join(map(new_uid, old.split("\\")))
        return raw if new == old else padded(new.encode("ascii", "replace"), "UI")

    return change


class UidRules(LevelRules):
    """Replaces the UIDs of a mapping, wherever they are; everything else stays."""

    has_within = True

    def __init__(self, mapping: Mapping[str, str]) -> None:
        super().__init__()
        self._rule = Rule(Outcome.REMAPPED, uid_change(lambda old: mapping.get(old, old)))

    def resolve(self, tag: int) -> Rule | None:
        """UIDs may be replaced."""
        return self._rule if public_vr(tag) == "UI" else None

    def within(self, tag: int, item: int) -> LevelRules:
        """The same in items."""
        del tag, item
        return self
