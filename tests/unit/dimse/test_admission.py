"""Who may have an association, and what it may do."""

from dataclasses import replace

import pytest

from dicomweb_server.dicom.uid_patterns import UidPatterns
from dicomweb_server.dimse.admission import Admitted, Load, Refused, admission, contexts, is_ae_title
from dicomweb_server.dimse.contexts import Service
from dicomweb_server.dimse.items import UserInformation
from dicomweb_server.dimse.options import DimseOptions, Modality
from dicomweb_server.dimse.pdu import AssociateRequest, Rejection
from dicomweb_server.services.acceptance import Acceptance

REQUEST = AssociateRequest("US", "THEM", (), UserInformation())
NOBODY = Load(0, 0)
KNOWN = DimseOptions(
    ae_title="US",
    modalities={
        "scanner": Modality("SCANNER", "scanner.example", 104, frozenset({Service.STORE})),
        "reader": Modality("READER", "reader.example", 104),
    },
)


def admit(
    request: AssociateRequest = REQUEST, options: DimseOptions = KNOWN, load: Load = NOBODY, address: str = "10.0.0.9"
) -> Admitted | Refused:
    addresses = {"scanner": {"10.0.0.1"}, "reader": {"10.0.0.2", "fd00::2"}}
    return admission(request, addresses, address, load, options)


def test_strangers_may_echo_and_store() -> None:
    assert admit() == Admitted("", frozenset({Service.ECHO, Service.STORE}))


def test_known_modalities_may_do_what_is_configured() -> None:
    assert admit(replace(REQUEST, calling_ae_title="SCANNER")) == Admitted("scanner", frozenset({Service.STORE}))
    assert admit(replace(REQUEST, calling_ae_title="READER")) == Admitted("reader", frozenset(Service))


def test_their_contexts_are_restricted_to_that() -> None:
    admitted = admit(replace(REQUEST, calling_ae_title="SCANNER"))
    assert isinstance(admitted, Admitted)
    only = UidPatterns({"1.2"})
    options = replace(KNOWN, acceptance=Acceptance(unknown_sop_classes=False), only_sop_classes=only)
    found = contexts(admitted, REQUEST, options)
    assert (found.allowed, found.unknown_sop_classes) == (frozenset({Service.STORE}), False)
    assert found.only is only


def test_names_of_ours_and_small_letters() -> None:
    checked = replace(KNOWN, check_called_ae_title=True, other_ae_titles=("TENANT",))
    for title, expected in (("THEM", Refused), ("US", Admitted), ("TENANT", Admitted), ("tenant", Refused)):
        assert isinstance(admit(replace(REQUEST, called_ae_title=title), checked), expected)
    lenient = replace(checked, ae_title_case=False)
    admitted = admit(replace(REQUEST, called_ae_title="tenant", calling_ae_title="Scanner"), lenient)
    assert admitted == Admitted("scanner", frozenset({Service.STORE}))
    assert admit(replace(REQUEST, calling_ae_title="Scanner")) == Admitted("", KNOWN.unknown_allow)


@pytest.mark.parametrize(
    ("changed", "rejection"),
    [
        ({"protocol_version": 2}, Rejection.PROTOCOL_VERSION_NOT_SUPPORTED),
        ({"application_context": "1.2.3"}, Rejection.APPLICATION_CONTEXT_NOT_SUPPORTED),
        ({"calling_ae_title": ""}, Rejection.CALLING_AE_TITLE_NOT_RECOGNIZED),
        ({"calling_ae_title": "A\\B"}, Rejection.CALLING_AE_TITLE_NOT_RECOGNIZED),
        ({"calling_ae_title": "A\nB"}, Rejection.CALLING_AE_TITLE_NOT_RECOGNIZED),
        ({"called_ae_title": ""}, Rejection.CALLED_AE_TITLE_NOT_RECOGNIZED),
    ],
)
def test_requests_that_nobody_may_make(changed: dict[str, object], rejection: Rejection) -> None:
    refused = admit(replace(REQUEST, **changed))  # type: ignore[arg-type]
    assert isinstance(refused, Refused)
    assert refused.rejection is rejection


def test_called_ae_title_by_option() -> None:
    strict = replace(KNOWN, check_called_ae_title=True)
    assert isinstance(admit(options=strict), Admitted)
    for other in ("us", "US2", "ANY-SCP"):
        refused = admit(replace(REQUEST, called_ae_title=other), strict)
        assert isinstance(refused, Refused)
        assert refused.rejection is Rejection.CALLED_AE_TITLE_NOT_RECOGNIZED


def test_a_known_title_from_another_address() -> None:
    request = replace(REQUEST, calling_ae_title="READER")
    strict = replace(KNOWN, check_modality_host=True)
    assert isinstance(admit(request, strict, address="fd00::2"), Admitted)
    refused = admit(request, strict, address="10.0.0.1")
    assert isinstance(refused, Refused)
    assert refused.rejection is Rejection.CALLING_AE_TITLE_NOT_RECOGNIZED
    assert isinstance(admit(request, KNOWN, address="10.0.0.1"), Admitted)


def test_strangers_may_be_shut_out() -> None:
    refused = admit(options=replace(KNOWN, unknown_allow=frozenset()))
    assert isinstance(refused, Refused)
    assert refused.rejection is Rejection.CALLING_AE_TITLE_NOT_RECOGNIZED


def test_limits_keep_places_for_those_we_know() -> None:
    options = replace(KNOWN, most_associations=10)
    reader = replace(REQUEST, calling_ae_title="READER")
    assert isinstance(admit(options=options, load=Load(8, 0)), Admitted)
    refused = admit(options=options, load=Load(9, 0))
    assert isinstance(refused, Refused)
    assert refused.rejection is Rejection.LOCAL_LIMIT_EXCEEDED
    assert isinstance(admit(reader, options, Load(9, 0)), Admitted)
    assert isinstance(admit(reader, options, Load(10, 0)), Refused)
    nobody_known = replace(options, modalities={})
    assert isinstance(admit(options=nobody_known, load=Load(9, 0)), Admitted)


def test_limit_of_an_address() -> None:
    options = replace(KNOWN, most_associations_per_address=2)
    assert isinstance(admit(options=options, load=Load(2, 1)), Admitted)
    refused = admit(options=options, load=Load(2, 2))
    assert isinstance(refused, Refused)
    assert refused.rejection is Rejection.LOCAL_LIMIT_EXCEEDED


@pytest.mark.parametrize(
    ("title", "valid"), [("A", True), ("A" * 16, True), ("A" * 17, False), ("", False), ("Ä", False)]
)
def test_ae_titles(title: str, valid: bool) -> None:
    assert is_ae_title(title) is valid
