"""Where an instance lies in an archive: folders of patient, study and series, named as Orthanc does.

Names hold letters, digits, blanks, "." and "_" only; whatever is in the attributes, no path leaves its archive.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from dicomweb_server.ports.archives import SeriesTitle
from dicomweb_server.ports.index import StoredInstance

# Characters of a folder's name, as unpackers may stop at 260 for the whole path; bytes, as file systems stop at 255.
_LONGEST, _LONGEST_BYTES = 100, 200
_DIGITS = 8
_KEPT = frozenset("._")


@dataclass(slots=True)
class _Folder:
    path: str
    names: set[str] = field(default_factory=set)
    files: int = 0

    def below(self, name: str) -> "_Folder":
        """A new folder in this one; a second one of the same name gets a number."""
        unique, number = name, 1
        while unique in self.names:
            number += 1
            unique = f"{name}-{number}"
        self.names.add(unique)
        return _Folder(f"{self.path}{unique}/")

    def file(self, prefix: str) -> str:
        """The name of the next file."""
        name = f"{prefix}{str(self.files).zfill(_DIGITS - len(prefix))}.dcm"
        self.files += 1
        return self.path + name


def archive_names(
    instances: Iterable[StoredInstance], titles: Iterable[SeriesTitle], *, ascii_only: bool = False
) -> Iterator[str]:
    """The path of each instance, in their order."""
    titled = {(title.study_uid, title.series_uid): title for title in titles}
    folders: dict[tuple[str, ...], _Folder] = {}
    root = _Folder("")

    def folder(key: tuple[str, ...], parent: _Folder, name: Callable[[], str]) -> _Folder:
        found = folders.get(key)
        if found is None:
            found = folders[key] = parent.below(name())
        return found

    for one in instances:
        title = titled.get((one.study_uid, one.series_uid)) or SeriesTitle(one.study_uid, one.series_uid, *[""] * 6)
        names = _names(title, ascii_only=ascii_only)
        patient = folder((title.patient_id, title.patient_name), root, lambda names=names: names[0])  # type: ignore[misc]
        study = folder((one.study_uid,), patient, lambda names=names: names[1])  # type: ignore[misc]
        series = folder((one.study_uid, one.series_uid), study, lambda names=names: names[2])  # type: ignore[misc]
        yield series.file(cleaned(title.modality, ascii_only=True)[:2])


def _names(title: SeriesTitle, *, ascii_only: bool) -> tuple[str, str, str]:
    def joined(first: str, second: str, otherwise: str) -> str:
        return cleaned(f"{first} {second}", ascii_only=ascii_only) or otherwise

    return (
        joined(title.patient_id, title.patient_name, "Unknown Patient"),
        joined(title.accession_number, title.study_description, "Unknown Study"),
        joined(title.modality, title.series_description, "Unknown Series"),
    )


def cleaned(text: str, *, ascii_only: bool = False) -> str:
    """A text as a name of one file or folder; "" if nothing of it can stay."""
    spaced = text.translate({ord("^"): " ", ord("="): " "})
    letters = "".join(
        letter
        for letter in spaced
        if letter == " " or ((letter.isalnum() or letter in _KEPT) and (letter.isascii() or not ascii_only))
    )
    name = " ".join(letters.split())[:_LONGEST]
    name = name.encode("utf-8")[:_LONGEST_BYTES].decode("utf-8", "ignore")
    # Neither "." nor "..", nor what Windows cuts off.
    return name.rstrip(". ")
