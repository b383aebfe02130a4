"""PURE: at which ports we listen, and which of our application entities is called there."""

from dataclasses import dataclass, replace

from dicomweb_server.dimse.admission import same_title
from dicomweb_server.dimse.options import ApplicationEntity, DimseOptions


@dataclass(frozen=True, slots=True)
class Door:
    """A port with what holds for each application entity behind it, the first for whoever calls none of them."""

    port: int
    tls: bool
    entities: tuple[DimseOptions, ...]

    @property
    def ae_titles(self) -> tuple[str, ...]:
        """Whom one can call here."""
        return tuple(each.ae_title for each in self.entities)

    def called(self, ae_title: str) -> DimseOptions:
        """What holds for who calls this AE title."""
        found = (each for each in self.entities if any(same_title(ae_title, ours, each) for ours in _titles(each)))
        return next(found, self.entities[0])


def doors(options: DimseOptions) -> list[Door]:
    """The plain port of the server itself comes first, then that with TLS."""
    own = (options, *(entity_options(each, options) for each in options.entities if each.port is None))
    found = [Door(options.port, tls=False, entities=own)] if options.port is not None else []
    if options.tls is not None:
        found.append(Door(options.tls.port, tls=True, entities=own))
    others: dict[tuple[int, bool], list[ApplicationEntity]] = {}
    for each in options.entities:
        if each.port is not None:
            others.setdefault((each.port, each.tls), []).append(each)
    return found + [_other_door(*place, entities, options) for place, entities in others.items()]


def entity_options(entity: ApplicationEntity, options: DimseOptions) -> DimseOptions:
    """What holds for associations with an entity."""
    return replace(
        options,
        ae_title=entity.ae_title,
        other_ae_titles=(),
        local_ae_title=entity.ae_title,
        entities=(),
        view=entity.view,
        labels=entity.labels,
        allow=entity.allow,
        callers=entity.callers,
    )


def _other_door(port: int, tls: bool, entities: list[ApplicationEntity], options: DimseOptions) -> Door:  # noqa: FBT001
    if len(entities) > 1:  # a wrong title must not open the first one's view
        options = replace(options, check_called_ae_title=True)
    return Door(port, tls, tuple(entity_options(each, options) for each in entities))


def _titles(options: DimseOptions) -> tuple[str, ...]:
    return (options.ae_title, *options.other_ae_titles)
