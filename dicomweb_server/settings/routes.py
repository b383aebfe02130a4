"""Configured routes: what is sent on by itself, and how a configuration writes them."""

from collections.abc import Mapping
from dataclasses import dataclass

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.errors import ServerError
from dicomweb_server.ports.routing import Via
from dicomweb_server.settings.kinds import Several
from dicomweb_server.settings.modalities import AE_TITLE
from dicomweb_server.settings.tables import as_table

_VIA = {
    "modality": Via.MODALITY,
    "peer": Via.PEER,
    "dicomweb": Via.DICOMWEB,
    "notify": Via.NOTICE,
    "priors": Via.PRIORS,
    "workitem": Via.WORKITEM,
}
_LEVELS = {"instance": Level.INSTANCE, "series": Level.SERIES, "study": Level.STUDY}
_SENDERS = Several(AE_TITLE)
_KNOWN = frozenset({"to", "when", "match", "from"})


@dataclass(frozen=True, slots=True)
class Route:
    """One rule. `match`: matching keys by keyword or tag, as in a search; `senders`: AE titles, empty for any."""

    via: Via
    destination: str
    level: Level = Level.INSTANCE
    match: tuple[tuple[str, str], ...] = ()
    senders: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Routes:
    """A table of rules by name; as text `NAME=KIND:DESTINATION` separated by commas."""

    allowed: str = (
        "a table of name = { to, when, match, from }: to is modality:NAME, peer:NAME, dicomweb:NAME, notify:NAME, "
        "priors:NAME or workitem:NAME, when one of instance, series, study, match a table of attribute = value, from a "
        "list of AE titles (as text: NAME=KIND:DESTINATION, separated by commas)"
    )

    def read(self, raw: object) -> dict[str, Route]:
        """The rules in their order."""
        return {name: _route(name, value) for name, value in as_table(raw, lambda _, to: {"to": to}).items()}


def _route(name: str, raw: object) -> Route:
    if not isinstance(raw, Mapping) or "to" not in raw or not set(raw) <= _KNOWN:
        raise ValueError(f"route {name}: expected to, and perhaps when, match, from")
    via, colon, destination = str(raw["to"]).partition(":")
    is_workitem = _VIA.get(via) is Via.WORKITEM
    when, match = str(raw.get("when", "study" if is_workitem else "instance")), raw.get("match", {})
    if via not in _VIA or not colon or not destination:
        raise ValueError(f"route {name}: to is none of {', '.join(f'{kind}:NAME' for kind in _VIA)}")
    if is_workitem and when != "study":
        raise ValueError(f"route {name}: workitems are for studies that are complete, when is study")
    if _VIA[via] is Via.PRIORS:  # they are wanted before the study is complete
        if "when" in raw:
            raise ValueError(f"route {name}: priors are fetched when a study begins to come, there is no when")
        when = "study"
    if when not in _LEVELS:
        raise ValueError(f"route {name}: when is not instance, series or study")
    if not isinstance(match, Mapping):
        raise ValueError(f"route {name}: match is not a table")
    pairs = tuple((str(key), str(value)) for key, value in match.items())
    _check(name, _LEVELS[when], pairs)
    senders = tuple(str(title) for title in _SENDERS.read(raw.get("from", ())))
    return Route(_VIA[via], destination, _LEVELS[when], pairs, senders)


def _check(name: str, level: Level, pairs: tuple[tuple[str, str], ...]) -> None:
    from dicomweb_server.dicom.search_parameters import search_request  # rarely needed, and by no other setting

    try:
        request = search_request(level, pairs)
    except ServerError as error:
        raise ValueError(f"route {name}: {error.detail}") from None
    if request.warnings or len(request.query.matches) != len(pairs):
        raise ValueError(f"route {name}: match has what is no matching key of that level")
