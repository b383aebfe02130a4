"""Configured application entities beside the server's own: their values, and how a configuration writes them."""

from collections.abc import Mapping
from dataclasses import dataclass

from dicomweb_server.settings.kinds import Choice, Integer, Several, Text, Toggle
from dicomweb_server.settings.modalities import AE_TITLE, OPERATIONS
from dicomweb_server.settings.tables import as_table

# What the view of an entity restricts, or what tells nothing; there are no labels in the worklist.
_OF_VIEWS = ("echo", "store", "find", "get", "move", "commitment")
_LEVELS = ("patient", "study", "series", "instance")
_LABELS = Several(Text("a label: 1 to 64 letters (a to z), digits, hyphens and underscores", r"[A-Za-z0-9_-]{1,64}"))
_CONSTRAINT = Choice(("all", "any", "none"))
_PORT = Integer(0, 65535)
_KNOWN = frozenset({"ae_title", "port", "tls", "labels", "labels_constraint", "label_levels", "allow", "callers"})


@dataclass(frozen=True, slots=True)
class ApplicationEntity:
    """An AE of this server. `port` None: it is called at the server's ports; without `labels`, it shows everything."""

    ae_title: str
    port: int | None = None
    tls: bool = False
    labels: tuple[str, ...] = ()
    labels_constraint: str = "all"
    label_levels: tuple[str, ...] = ("study",)
    allow: tuple[str, ...] = OPERATIONS
    callers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ApplicationEntities:
    """A table of further AEs; as text `NAME=AETITLE` or `NAME=AETITLE@port` separated by commas."""

    allowed: str = (
        "a table of name = { ae_title, port, tls, labels, labels_constraint, label_levels, allow, callers }, with "
        "labels_constraint one of all, any, none, and label_levels a list of patient, study, series, instance "
        "(as text: NAME=AETITLE or NAME=AETITLE@port, separated by commas)"
    )

    def read(self, raw: object) -> dict[str, ApplicationEntity]:
        """A mapping of name to entity."""
        return {name: _entity(name, value) for name, value in as_table(raw, _from_text).items()}


def _from_text(_name: str, text: str) -> Mapping[str, object]:
    ae_title, at, port = text.partition("@")
    return {"ae_title": ae_title, "port": port} if at else {"ae_title": ae_title}


def _entity(name: str, raw: object) -> ApplicationEntity:
    if not isinstance(raw, Mapping) or "ae_title" not in raw or not set(raw) <= _KNOWN:
        raise ValueError(f"application entity {name}")
    labels = _words(_LABELS, raw.get("labels", ()))
    port, tls = raw.get("port"), Toggle().read(raw.get("tls", False))
    if tls and port is None:
        raise ValueError(f"application entity {name}: tls is about a port of its own")
    return ApplicationEntity(
        ae_title=str(AE_TITLE.read(raw["ae_title"])),
        port=None if port is None else _PORT.read(port),
        tls=tls,
        labels=labels,
        labels_constraint=_CONSTRAINT.read(raw.get("labels_constraint", "all")),
        label_levels=_words(Several(Choice(_LEVELS)), raw.get("label_levels", ("study",))),
        allow=_words(Several(Choice(OPERATIONS)), raw.get("allow", _OF_VIEWS if labels else OPERATIONS)),
        callers=_words(Several(AE_TITLE), raw.get("callers", ())),
    )


def _words(kind: Several, raw: object) -> tuple[str, ...]:
    return tuple(str(word) for word in kind.read(raw))
