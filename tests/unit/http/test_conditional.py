"""Conditional requests: whether the client's copy is current, and whether a range applies to it."""

import pytest

from dicomweb_server.http.conditional import entity_tag, http_date, is_fresh, range_applies, validators

TAG = entity_tag("abc", "json")
MODIFIED = 1_700_000_000.75
DATE = "Tue, 14 Nov 2023 22:13:20 GMT"


def scope(**headers: str) -> dict[str, object]:
    return {"headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]}


def test_tags_tell_variants_apart() -> None:
    assert (TAG, entity_tag("abc")) == (b'"abc-json"', b'"abc"')
    assert http_date(int(MODIFIED)) == DATE.encode()


@pytest.mark.parametrize(
    ("headers", "fresh"),
    [
        ({}, False),
        ({"if_none_match": '"abc-json"'}, True),
        ({"if_none_match": 'W/"abc-json"'}, True),
        ({"if_none_match": '"x", "abc-json" , "y"'}, True),
        ({"if_none_match": "*"}, True),
        ({"if_none_match": '"abc"'}, False),
        ({"if_none_match": "nonsense"}, False),
        ({"if_none_match": '"x"', "if_modified_since": DATE}, False),
        ({"if_modified_since": DATE}, True),
        ({"if_modified_since": "Wed, 15 Nov 2023 00:00:00 GMT"}, True),
        ({"if_modified_since": "Mon, 13 Nov 2023 00:00:00 GMT"}, False),
        ({"if_modified_since": "yesterday"}, False),
        ({"if_modified_since": ""}, False),
        ({"if_modified_since": "Tue, 14 Nov 99999999 22:13:20 GMT"}, False),
    ],
)
def test_whether_a_copy_is_current(headers: dict[str, str], fresh: bool) -> None:
    assert is_fresh(scope(**headers), TAG, MODIFIED) is fresh


def test_without_a_date_only_tags_count() -> None:
    assert not is_fresh(scope(if_modified_since=DATE), TAG)


@pytest.mark.parametrize(
    ("condition", "applies"),
    [(None, True), ('"abc-json"', True), ('"abc"', False), ('W/"abc-json"', False), (DATE, True),
     ("Wed, 15 Nov 2023 00:00:00 GMT", False), ("nonsense", False)],
)  # fmt: skip
def test_whether_a_range_applies(condition: str | None, applies: bool) -> None:
    asked = scope() if condition is None else scope(if_range=condition)
    assert range_applies(asked, TAG, MODIFIED) is applies


def test_validators() -> None:
    assert dict(validators(TAG, MODIFIED, immutable=True)) == {
        b"etag": TAG,
        b"vary": b"Accept",
        b"cache-control": b"private, max-age=86400, immutable",
        b"last-modified": DATE.encode(),
    }
    assert dict(validators(TAG, None, immutable=False))[b"cache-control"] == b"private, no-cache"
