"""MetadataCodec: what was encoded comes back, whatever the template."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.storage import metadata_codec
from dicomweb_server.storage.metadata_codec import SAME_AS_TEMPLATE, MetadataCodec


class Templates:
    def __init__(self) -> None:
        self.packed: dict[int, bytes] = {}
        self.loads = 0

    def load(self, template_id: int) -> bytes:
        self.loads += 1
        return self.packed[template_id]


@given(st.binary(max_size=3000), st.binary(max_size=3000))
def test_round_trip(template: bytes, document: bytes) -> None:
    templates = Templates()
    codec = MetadataCodec(templates.load)
    templates.packed[1] = codec.pack_template(template)
    assert MetadataCodec(templates.load).decode(codec.encode(document, 1), 1) == document
    assert codec.decode(SAME_AS_TEMPLATE, 1) == template


def test_a_document_like_its_template_is_small() -> None:
    templates = Templates()
    codec = MetadataCodec(templates.load)
    document = b"".join(b'{"%d":{"vr":"LO","Value":["%d"]}}' % (n, n * n) for n in range(200))
    templates.packed[1] = codec.pack_template(document)
    assert len(codec.encode(document.replace(b'"64"', b'"65"'), 1)) < 60


def test_a_document_much_longer_than_its_template_comes_back() -> None:
    templates = Templates()
    codec = MetadataCodec(templates.load)
    templates.packed[1] = codec.pack_template(b"{}")
    templates.packed[2] = codec.pack_template(b"x" * 200_000)
    long = b"".join(b"%d" % n for n in range(200_000))
    for template_id in (1, 2):
        assert codec.decode(codec.encode(long, template_id), template_id) == long


def test_contexts_are_kept_but_not_without_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata_codec, "_CONTEXTS_HELD", 3)
    templates = Templates()
    codec = MetadataCodec(templates.load)
    for template_id in range(6):
        templates.packed[template_id] = codec.pack_template(b"template %d" % template_id)
        assert codec.decode(codec.encode(b"document", template_id), template_id) == b"document"
    loads = templates.loads
    codec.encode(b"document", 5)
    assert templates.loads == loads
    codec.encode(b"document", 0)
    assert templates.loads == loads + 1
    codec.forget()
    codec.encode(b"document", 5)
    assert templates.loads == loads + 2


def test_damage_is_reported() -> None:
    templates = Templates()
    codec = MetadataCodec(templates.load)
    templates.packed[1] = codec.pack_template(b"template")
    templates.packed[2] = b"not packed"
    for blob, template_id in ((b"damaged", 1), (SAME_AS_TEMPLATE, 2), (b"x", 2)):
        with pytest.raises(ServerError) as caught:
            codec.decode(blob, template_id)
        assert caught.value.reason is Reason.STORAGE_DAMAGED
