"""The mark that ties a test to the section it checks and to how binding that is."""

from typing import Literal

import pytest

Level = Literal["S", "O", "B"]


def requires(section: str, level: Level = "S") -> pytest.MarkDecorator:
    """Cite a section. S: the standard requires it; O: optional, but if offered, then so; B: our own bar."""
    return pytest.mark.requirement(section, level)
