"""Links to programs that show a study, and how a configuration writes them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

_NAME = re.compile(r"[^\s=,][^=,]{0,63}")
# Schemes of programs and pages; none that would run a script in the explorer's own page.
_URL = re.compile(r"(?!(?:javascript|data|vbscript|blob|file):)[a-z][a-z0-9+.-]*:[^\s]{1,2000}|/[^\s]{0,2000}", re.I)
_FIELD = re.compile(r"\{([^}]*)\}")
_FIELDS = frozenset({"study", "series", "dicomweb"})


@dataclass(frozen=True, slots=True)
class ViewerLinks:
    """A table of URL by name; as text `NAME=URL` separated by commas."""

    allowed: str = (
        "a table of name = URL, in which {study}, {series} and {dicomweb} stand for UIDs and the address of DICOMweb "
        "(as text: NAME=URL, separated by commas)"
    )

    def read(self, raw: object) -> dict[str, str]:
        """The links in their order."""
        if isinstance(raw, str):
            pairs = [part.strip().partition("=") for part in raw.split(",") if part.strip()]
            raw = {name: url for name, _, url in pairs}
        if not isinstance(raw, Mapping):
            raise ValueError("not a table")
        for name, url in raw.items():
            if not isinstance(url, str) or not _NAME.fullmatch(str(name)) or not _URL.fullmatch(url):
                raise ValueError(f"link {name}")
            if not set(_FIELD.findall(url)) <= _FIELDS:
                raise ValueError(f"link {name}: only {{study}}, {{series}} and {{dicomweb}} are filled in")
        return {str(name): str(url) for name, url in raw.items()}
