"""Edit plan: what a client wants replaced, removed and kept, as rules over whatever else happens to an instance."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from dicomweb_server.dicom.attribute_path import is_private
from dicomweb_server.dicom.edit_path import ANY_ITEM, EditPath, Step, TagPattern
from dicomweb_server.dicom.edit_rules import REMOVE, LevelRules, Rule
from dicomweb_server.dicom.edit_value import EditValue


@dataclass(frozen=True, slots=True)
class EditPlan:
    """The wishes of a request. Replace goes before Keep, Keep before Remove. `creator`: of private tags in Replace."""

    replace: tuple[tuple[EditPath, EditValue], ...] = ()
    remove: tuple[EditPath | TagPattern, ...] = ()
    keep: tuple[EditPath | TagPattern, ...] = ()
    remove_private: bool = False
    creator: str = ""

    @property
    def inserts(self) -> tuple[EditValue, ...]:
        """The new elements of the top level, by tag."""
        return tuple(sorted((value for path, value in self.replace if not path.steps), key=lambda value: value.tag))

    @property
    def values(self) -> tuple[EditValue, ...]:
        """All new values."""
        return tuple(value for _, value in self.replace)

    def keeps(self, tag: int) -> bool:
        """Whether an element of the top level is to be kept."""
        return _names(self.keep, tag)

    def replaces(self, tag: int) -> bool:
        """Whether an element of the top level gets a new value."""
        return any(not path.steps and path.tag == tag for path, _ in self.replace)

    def removes(self, tag: int) -> bool:
        """Whether an element of the top level is to be removed."""
        return _names(self.remove, tag)


def plan_rules(plan: EditPlan, others: LevelRules | None) -> LevelRules:
    """The rules of a data set. `others`: what happens to elements that the plan does not mention."""
    branch = _Branch(
        {path.tag: value for path, value in plan.replace if not path.steps},
        plan.remove,
        plan.keep,
        [(path, value) for path, value in plan.replace if path.steps],
        remove_private=plan.remove_private,
    )
    return PlanRules(branch, others)


_MAX_REMEMBERED = 1024  # sequences of one level
Names = tuple[EditPath | TagPattern, ...]


@dataclass(frozen=True, slots=True)
class _Branch:
    """The part of a plan that concerns one level and what is below it."""

    replace: Mapping[int, EditValue] = field(default_factory=dict)
    remove: Names = ()
    keep: Names = ()
    deeper: list[tuple[EditPath, EditValue]] = field(default_factory=list)
    remove_private: bool = False

    def below(self, tag: int, item: int) -> "_Branch | None":
        """The part that concerns an item of a sequence."""
        replace, deeper = {}, []
        for path, value in self.deeper:
            if _leads(path.steps[0], tag, item):
                rest = EditPath(path.steps[1:], path.tag)
                if rest.steps:
                    deeper.append((rest, value))
                else:
                    replace[rest.tag] = value
        remove, keep = _below(self.remove, tag, item), _below(self.keep, tag, item)
        if not (replace or deeper or remove or keep or self.remove_private):
            return None
        return _Branch(replace, remove, keep, deeper, remove_private=self.remove_private)

    def items_named(self, tag: int) -> frozenset[int]:
        """The items of a sequence that are named by their number."""
        paths = [path for path, _ in self.deeper]
        paths += [name for name in (*self.remove, *self.keep) if isinstance(name, EditPath) and name.steps]
        return frozenset(path.steps[0].item for path in paths if path.steps[0].tag == tag)


class PlanRules(LevelRules):
    """The rules of one level."""

    def __init__(self, branch: _Branch, others: LevelRules | None) -> None:
        super().__init__()
        self._branch = branch
        self._others = others
        self._within: dict[tuple[int, int], LevelRules | None] = {}
        self.inserts = tuple(branch.replace[tag] for tag in sorted(branch.replace))
        self.has_within = bool(
            branch.deeper
            or branch.remove_private
            or any(isinstance(name, EditPath) and name.steps for name in (*branch.remove, *branch.keep))
            or (others is not None and others.has_within)
        )

    def resolve(self, tag: int) -> Rule | None:
        """What becomes of a tag."""
        branch = self._branch
        if tag in branch.replace:
            return REMOVE  # a further element of a tag that was replaced
        if _names(branch.keep, tag):
            return None
        if _names(branch.remove, tag) or (branch.remove_private and is_private(tag)):
            return REMOVE
        return self._others.table[tag] if self._others is not None else None

    def within(self, tag: int, item: int) -> LevelRules | None:
        """The rules of an item."""
        key = (tag, item if item in self._branch.items_named(tag) else ANY_ITEM)
        if key not in self._within:
            made = self._made(tag, item)
            if len(self._within) >= _MAX_REMEMBERED:
                return made
            self._within[key] = made
        return self._within[key]

    def _made(self, tag: int, item: int) -> LevelRules | None:
        is_kept = _names(self._branch.keep, tag)
        others = None if is_kept or self._others is None else self._others.within(tag, item)
        below = self._branch.below(tag, item)
        return others if below is None else PlanRules(below, others)


def _leads(step: Step, tag: int, item: int) -> bool:
    return step.tag == tag and step.item in (ANY_ITEM, item)


def _below(names: Names, tag: int, item: int) -> Names:
    return tuple(
        EditPath(name.steps[1:], name.tag)
        for name in names
        if isinstance(name, EditPath) and name.steps and _leads(name.steps[0], tag, item)
    )


def _names(names: Names, tag: int) -> bool:
    return any(
        name.matches(tag) if isinstance(name, TagPattern) else not name.steps and name.tag == tag for name in names
    )
