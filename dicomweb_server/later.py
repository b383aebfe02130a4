"""Libraries that are loaded when something of them is first used, so that a server starts without them."""

import importlib
from types import ModuleType


class Later(ModuleType):
    """Stands for a module. What was asked for once is kept here, so that asking again costs nothing more."""

    def __getattr__(self, name: str) -> object:
        found = getattr(importlib.import_module(self.__name__), name)
        setattr(self, name, found)
        return found
