"""Sets of UIDs with patterns."""

import pickle

import pytest

from dicomweb_server.dicom.uid_patterns import NONE, UidPatterns


@pytest.mark.parametrize(
    ("patterns", "uid", "expected"),
    [
        ({"1.2.3"}, "1.2.3", True),
        ({"1.2.3"}, "1.2.34", False),
        ({"1.2.*"}, "1.2.3.4", True),
        ({"1.2.*"}, "1.23.4", False),
        ({"1.2.?"}, "1.2.3", True),
        ({"1.2.?"}, "1.2.34", False),
        ({"*"}, "", True),
        (set(), "1.2.3", False),
    ],
)
def test_what_is_in_it(patterns: set[str], uid: str, expected: bool) -> None:
    found = pickle.loads(pickle.dumps(UidPatterns(patterns)))
    assert (uid in found) is expected
    assert bool(found) is bool(patterns)
    assert uid not in NONE
