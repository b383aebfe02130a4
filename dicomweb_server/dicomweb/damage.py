"""Damage: how an answer says that a part of what was asked for is not in it (206, PS3.18 §8.5, §10.4.3)."""

from collections.abc import Sequence

from dicomweb_server.http.responses import HeaderList
from dicomweb_server.http.warning import warning


def damage_headers(root: str, there: Sequence[bool]) -> HeaderList:
    """The headers of an answer to be sent with 206. `there`: of each instance, whether it is in it."""
    reasons = "damaged, or not to be had in an acceptable transfer syntax"
    text = f"{there.count(False)} of {len(there)} instances are left out: {reasons}"
    # No validators: such an answer is not to be kept.
    return [(b"vary", b"Accept"), (b"cache-control", b"no-store"), warning(root, text)]
