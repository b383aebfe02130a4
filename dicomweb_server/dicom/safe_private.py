"""Safe private attributes: those that PS3.15 §E.3.10 lists as known to hold no identity, by creator."""

# creator: group and elements of a block, in hexadecimal.
_LISTED = {
    "ELSCINT1": "00E1:21,50 01E1:26 01F1:01,07,26,27",
    "GEIIS PACS": "0903:10,11,12",
    "GEMS_ACQU_01": "0019:23,24,27,9E",
    "GEMS_HELIOS_01": "0045:01,02",
    "GEMS_PARM_01": "0043:27,39,6F",
    "GEMS_SERS_01": "0025:07",
    "NQHeader": "0099:01,02,04,05,10,20,21",
    "NQLeft": "0199:01-16",
    "NQRight": "0299:01-16",
    "Philips Imaging DD 001": "2001:03,04",
    "Philips MR Imaging DD 001": "2005:0D,0E",
    "Philips PET Private Group": "7053:00,09",
    "SIEMENS MR HEADER": "0019:0C,0D,0E,27",
    "SIEMENS Ultrasound SC2000": (
        "0119:00-09,10-13,21 0129:00,02-09,10-12,20-22,29,30 0139:01 0149:01-03 7FD1:01,09,10,11"
    ),
}


def _expanded(listed: str) -> frozenset[tuple[int, int]]:
    found = set()
    for part in listed.split():
        group, _, elements = part.partition(":")
        for span in elements.split(","):
            first, _, last = span.partition("-")
            # Neighbours in the tables count in hexadecimal.
            found |= {(int(group, 16), n) for n in range(int(first, 16), int(last or first, 16) + 1)}
    return frozenset(found)


_SAFE = {creator.upper(): _expanded(listed) for creator, listed in _LISTED.items()}


def is_safe(creator: str, tag: int) -> bool:
    """Whether a private attribute of a creator is listed."""
    return (tag >> 16, tag & 0xFF) in _SAFE.get(creator.strip().upper(), ())


def is_safe_creator(creator: str, group: int) -> bool:
    """Whether any private attribute of a creator in a group is."""
    return any(known == group for known, _ in _SAFE.get(creator.strip().upper(), ()))
