"""The tables of PS3.6 as pydicom has them, without pydicom: the package itself would load numpy and much besides."""

import importlib.util
from collections.abc import Mapping
from functools import lru_cache
from importlib.machinery import PathFinder
from typing import Any

# VR, VM, name, whether retired, keyword
Entry = tuple[str, str, str, str, str]


def _module(name: str) -> Any:
    package = importlib.util.find_spec("pydicom")
    assert package is not None
    spec = PathFinder.find_spec(f"pydicom.{name}", package.submodule_search_locations)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_attributes = _module("_dicom_dict")
ATTRIBUTES: Mapping[int, Entry] = _attributes.DicomDictionary
# By patterns of eight hexadecimal digits, of which some are x: any.
REPEATED_ATTRIBUTES: Mapping[str, Entry] = _attributes.RepeatersDictionary


@lru_cache(maxsize=1)
def uids() -> Mapping[str, tuple[str, str, str, str, str]]:
    """Name, kind, information, whether retired, and keyword of the UIDs of the standard (PS3.6 annex A)."""
    known: Mapping[str, tuple[str, str, str, str, str]] = _module("_uid_dict").UID_dictionary
    return known


@lru_cache(maxsize=1)
def private_attributes() -> Mapping[str, Mapping[str, tuple[str, str, str, str]]]:
    """VR, VM, name and whether retired by creator and pattern ("gggg" and "xxee", for any block)."""
    known: Mapping[str, Mapping[str, tuple[str, str, str, str]]] = _module("_private_dict").private_dictionaries
    return known
