"""Links to programs that show a study, and how a configuration writes them."""

import re
from dataclasses import dataclass

from dicomweb_server.settings.tables import as_table

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
        links: dict[str, str] = {}
        for name, url in as_table(raw).items():
            if not isinstance(url, str) or not _NAME.fullmatch(name) or not _URL.fullmatch(url):
                raise ValueError(f"link {name}")
            if not set(_FIELD.findall(url)) <= _FIELDS:
                raise ValueError(f"link {name}: only {{study}}, {{series}} and {{dicomweb}} are filled in")
            links[name] = url
        return links
