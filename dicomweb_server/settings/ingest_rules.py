"""Rules by which what arrives is brought into a transfer syntax, and how a configuration writes them."""

from collections.abc import Mapping
from dataclasses import dataclass

from dicomweb_server.settings.kinds import Several, Text
from dicomweb_server.settings.modalities import AE_TITLE
from dicomweb_server.settings.tables import as_table

_TO = Text("the UID of a transfer syntax, or none", r"[0-9.]{1,64}|none")
_LISTS = {
    "modality": Several(Text("a modality", r"[A-Z0-9_]{1,16}")),
    "sop_class": Several(Text("a UID, or a pattern of UIDs with * and ?", r"[0-9.*?]{1,64}")),
    "from": Several(AE_TITLE),
}


@dataclass(frozen=True, slots=True)
class IngestRule:
    """One rule. `to` None: such instances stay as they come. Empty conditions hold for all."""

    to: str | None
    modalities: tuple[str, ...] = ()
    sop_classes: tuple[str, ...] = ()
    senders: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class IngestRules:
    """A table of rules by name, in their order; as text `MODALITY=UID` separated by commas."""

    allowed: str = (
        "a table of name = { to, modality, sop_class, from }: to is the UID of a transfer syntax or none, the others "
        "lists, of which each that is given must have what arrives: modalities, SOP classes with * and ?, AE titles "
        "(as text: MODALITY=UID, separated by commas)"
    )

    def read(self, raw: object) -> dict[str, IngestRule]:
        """The rules in their order."""
        table = as_table(raw, lambda name, to: {"to": to, "modality": [name]})
        return {name: _rule(name, value) for name, value in table.items()}


def _rule(name: str, raw: object) -> IngestRule:
    if not isinstance(raw, Mapping) or "to" not in raw or not set(raw) <= {"to", *_LISTS}:
        raise ValueError(f"rule {name}: expected to, and perhaps modality, sop_class, from")
    to = str(_TO.read(raw["to"]))
    lists = [tuple(str(one) for one in kind.read(raw.get(key, ()))) for key, kind in _LISTS.items()]
    return IngestRule(None if to == "none" else to, *lists)
