"""Configured templates of workitems, which routes make for studies, and how a configuration writes them."""

from collections.abc import Mapping
from dataclasses import dataclass

from dicomweb_server.settings.kinds import Choice, Seconds, Text
from dicomweb_server.settings.tables import as_table

_LABEL = Text("1 to 64 characters", r"[^\\\x00-\x1f]{1,64}")
_PRIORITY = Choice(("high", "medium", "low"))
_CODE = Text("VALUE^SCHEME^MEANING", r"[^\\^\x00-\x1f]{1,16}\^[^\\^\x00-\x1f]{1,16}\^[^\\^\x00-\x1f]{1,64}")
_EXPIRES = Seconds(0, 10**9)
_NAME = Text("the name of a modality")
_KNOWN = frozenset({"label", "worklist", "priority", "station", "workitem", "expires", "modality"})


@dataclass(frozen=True, slots=True)
class WorkitemTemplate:
    """What the workitems of a route have in common; codes as VALUE^SCHEME^MEANING, "" is none."""

    label: str
    worklist: str
    priority: str = "medium"
    station: str = ""
    workitem: str = ""
    expires: float = 0.0
    modality: str = ""


@dataclass(frozen=True, slots=True)
class WorkitemTemplates:
    """A table of templates; as text `NAME=LABEL` separated by commas."""

    allowed: str = (
        "a table of name = { label, worklist, priority, station, workitem, expires, modality }, with priority one of "
        "high, medium, low, and codes as VALUE^SCHEME^MEANING (as text: NAME=LABEL, separated by commas)"
    )

    def read(self, raw: object) -> dict[str, WorkitemTemplate]:
        """A mapping of name to template."""
        return {name: _template(name, value) for name, value in as_table(raw, lambda _, text: {"label": text}).items()}


def _template(name: str, raw: object) -> WorkitemTemplate:
    if not isinstance(raw, Mapping) or not set(raw) <= _KNOWN:
        raise ValueError(f"workitem template {name}")
    return WorkitemTemplate(
        label=str(_LABEL.read(raw.get("label", name))),
        worklist=str(_LABEL.read(raw.get("worklist", name))),
        priority=str(_PRIORITY.read(raw.get("priority", "medium"))),
        station=str(_CODE.read(raw["station"])) if raw.get("station") else "",
        workitem=str(_CODE.read(raw["workitem"])) if raw.get("workitem") else "",
        expires=_EXPIRES.read(raw.get("expires", 0)),
        modality=str(_NAME.read(raw["modality"])) if raw.get("modality") else "",
    )
