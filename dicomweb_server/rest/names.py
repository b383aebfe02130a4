"""Names of metadata and of attachments: those of the system, and those of users, who name or number them."""

from collections.abc import Mapping

from dicomweb_server.errors import Reason, ServerError

NUMBERS: Mapping[str, int] = {
    "IndexInSeries": 1,
    "ReceptionDate": 2,
    "RemoteAET": 3,
    "ExpectedNumberOfInstances": 4,
    "ModifiedFrom": 5,
    "AnonymizedFrom": 6,
    "LastUpdate": 7,
    "Origin": 8,
    "TransferSyntax": 9,
    "SopClassUid": 10,
    "RemoteIP": 11,
    "CalledAET": 12,
    "HttpUsername": 13,
    "HttpHost": 14,
    "PixelDataOffset": 15,
    "MainDicomTagsSignature": 16,
    "MainDicomSequences": 17,
    "PixelDataVR": 18,
}
ATTACHMENTS: Mapping[str, int] = {"dicom": 1, "dicom-as-json": 2, "dicom-until-pixel-data": 3}
_FIRST, _LAST = 1024, 65535


class Names:
    """Users' entries are kept under their numbers, so that they may be named later, or otherwise."""

    def __init__(self, system: Mapping[str, int], users: Mapping[str, int]) -> None:
        self.users = dict(users)
        self._system = system
        self._of_number = {str(number): name for name, number in system.items()}
        self._users = {name: str(number) for name, number in users.items()}
        self._shown = {str(number): name for name, number in users.items()}

    def key(self, name: str) -> str:
        """What it is kept under; ServerError(NOT_FOUND) for a name that nobody gave, or a number out of range."""
        if name in self._system:
            return name
        if name in self._of_number:
            return self._of_number[name]
        if name in self._users:
            return self._users[name]
        if name.isascii() and name.isdigit() and len(name) <= 5 and _FIRST <= int(name) <= _LAST:
            return name
        raise ServerError(
            Reason.NOT_FOUND,
            f"neither a name of the system or the configuration, nor a number from {_FIRST} to {_LAST}",
        )

    def is_system(self, key: str) -> bool:
        """Whether the server itself keeps it, so that users cannot change it."""
        return key in self._system

    def shown(self, key: str) -> str:
        """The name of what is kept under a key."""
        return self._shown.get(key, key)

    def number(self, key: str) -> int:
        """Its number."""
        return self._system[key] if key in self._system else int(key)
