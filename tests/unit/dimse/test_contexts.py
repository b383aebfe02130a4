"""Which SOP classes are served, and how."""

import pytest
from pynetdicom import sop_class as theirs

from dicomweb_server.dicom.uid_patterns import UidPatterns
from dicomweb_server.dicom.uids import TRANSFER_SYNTAXES
from dicomweb_server.dimse.contexts import STORAGE_CLASSES, VERIFICATION, Contexts, Service
from dicomweb_server.dimse.items import ContextResult
from dicomweb_server.dimse.negotiation import Support

CT = "1.2.840.10008.5.1.4.1.1.2"
ALL = frozenset(Service)


def test_every_storage_class_that_pynetdicom_knows() -> None:
    assert set(theirs._STORAGE_CLASSES.values()) <= STORAGE_CLASSES


def test_no_class_whose_instances_belong_to_no_study() -> None:
    assert not set(theirs._NON_PATIENT_OBJECT_CLASSES.values()) & STORAGE_CLASSES


def test_no_storage_class_is_another_service() -> None:
    others = [
        theirs._QR_CLASSES,
        theirs._STORAGE_COMMITMENT_CLASSES,
        theirs._MEDIA_STORAGE_CLASSES,
        theirs._VERIFICATION_CLASSES,
    ]
    assert not {uid for table in others for uid in table.values()} & STORAGE_CLASSES


def test_storage_in_every_transfer_syntax_that_can_be_stored() -> None:
    support = Contexts(ALL).support(CT)
    assert isinstance(support, Support)
    assert support.transfer_syntaxes == frozenset(TRANSFER_SYNTAXES)


def test_what_is_not_allowed_is_rejected_by_the_user() -> None:
    contexts = Contexts(frozenset({Service.ECHO}))
    assert contexts.support(CT) is ContextResult.USER_REJECTION
    assert isinstance(contexts.support(VERIFICATION), Support)


@pytest.mark.parametrize(
    ("uid", "open_minded", "strict"),
    [
        ("1.3.12.2.1107.5.9.1", Service.STORE, None),  # private
        ("1.2.840.10008.5.1.4.1.1.99999", Service.STORE, None),  # newer than our tables
        ("1.2.840.10008.1.40", None, None),  # known, and no storage
        ("1.2.840.10008.1.2", None, None),  # a transfer syntax
        ("1.2.840.10008.5.1.1.9", None, None),  # print
        (CT, Service.STORE, Service.STORE),
    ],
)
def test_unknown_classes_by_option(uid: str, open_minded: Service | None, strict: Service | None) -> None:
    assert Contexts(ALL).service_of(uid) is open_minded
    assert Contexts(ALL, unknown_sop_classes=False).service_of(uid) is strict


def test_only_and_never() -> None:
    mr = "1.2.840.10008.5.1.4.1.1.4"
    assert Contexts(ALL, only=UidPatterns({CT})).service_of(mr) is None
    assert Contexts(ALL, only=UidPatterns({CT})).service_of(CT) is Service.STORE
    assert Contexts(ALL, only=UidPatterns({CT})).service_of(VERIFICATION) is Service.ECHO
    assert Contexts(ALL, never=UidPatterns({CT})).service_of(CT) is None


def test_patterns_of_classes_and_syntaxes() -> None:
    assert Contexts(ALL, only=UidPatterns({"1.2.840.10008.5.1.4.1.1.2*"})).service_of(CT + ".1") is Service.STORE
    assert Contexts(ALL, never=UidPatterns({"1.2.840.10008.*"})).service_of(CT) is None
    jpeg = frozenset({"1.2.840.10008.1.2.4.50"})
    for allowed in (ALL, frozenset({Service.STORE})):
        support = Contexts(allowed, syntaxes=jpeg).support(CT)
        assert isinstance(support, Support)
        assert support.syntaxes(for_sending=False) == jpeg
        assert support.syntaxes(for_sending=True) == frozenset(TRANSFER_SYNTAXES)
