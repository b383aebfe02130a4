"""Negotiation: every proposed context is answered, in the transfer syntax that the documentation promises."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomweb_server.dimse.items import (
    AnsweredContext,
    AsynchronousWindow,
    ContextResult,
    ExtendedNegotiation,
    ProposedContext,
    RoleSelection,
    UserInformation,
)
from dicomweb_server.dimse.negotiation import Support, agreed_contexts, agreed_window, answer, chosen_transfer_syntax
from dicomweb_server.dimse.pdu import AssociateAccept, AssociateRequest

CT, FIND, PRINT = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.2.2.1", "1.2.840.10008.5.1.1.9"
IMPLICIT, EXPLICIT, BIG = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
JPEG, RLE = "1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.5"


def supported(abstract_syntax: str) -> Support | ContextResult:
    if abstract_syntax == CT:
        return Support(frozenset({IMPLICIT, EXPLICIT, BIG, JPEG}), scu=True)
    if abstract_syntax == FIND:
        return Support(frozenset({IMPLICIT, EXPLICIT}), extended=lambda information: information[:1])
    return ContextResult.ABSTRACT_SYNTAX_NOT_SUPPORTED


def request(*contexts: ProposedContext, user: UserInformation | None = None) -> AssociateRequest:
    return AssociateRequest("US", "THEM", contexts, user or UserInformation())


@pytest.mark.parametrize(
    ("proposed", "chosen"),
    [
        ([IMPLICIT], IMPLICIT),
        ([IMPLICIT, EXPLICIT], EXPLICIT),
        ([BIG, IMPLICIT], IMPLICIT),
        ([BIG], BIG),
        ([JPEG, EXPLICIT, IMPLICIT], JPEG),
        ([IMPLICIT, JPEG], IMPLICIT),
        ([RLE, IMPLICIT, EXPLICIT], EXPLICIT),
        ([RLE], None),
        ([], None),
    ],
)
def test_preference(proposed: list[str], chosen: str | None) -> None:
    assert chosen_transfer_syntax(proposed, frozenset({IMPLICIT, EXPLICIT, BIG, JPEG})) == chosen


def test_any_transfer_syntax() -> None:
    assert chosen_transfer_syntax(["1.2.3"], None) == "1.2.3"


def test_every_context_is_answered_under_its_identifier() -> None:
    proposals = (ProposedContext(1, CT, (RLE,)), ProposedContext(9, PRINT, ()), ProposedContext(255, FIND, (IMPLICIT,)))
    found = answer(request(*proposals), supported, 1)
    assert [(c.context_id, c.result) for c in found.contexts] == [
        (1, ContextResult.TRANSFER_SYNTAXES_NOT_SUPPORTED),
        (9, ContextResult.ABSTRACT_SYNTAX_NOT_SUPPORTED),
        (255, ContextResult.ACCEPTED),
    ]
    assert [(c.context_id, c.abstract_syntax, c.transfer_syntax) for c in found.accepted] == [(255, FIND, IMPLICIT)]


def test_all_128_contexts() -> None:
    found = answer(request(*(ProposedContext(n, CT, (EXPLICIT,)) for n in range(1, 256, 2))), supported, 1)
    assert len(found.accepted) == 128


def test_roles_are_answered_only_if_proposed_and_supported() -> None:
    user = UserInformation(
        roles=(
            RoleSelection(CT, scu=False, scp=True),
            RoleSelection(FIND, scu=True, scp=True),
            RoleSelection(PRINT, scu=True, scp=True),
        )
    )
    contexts = (ProposedContext(1, CT, (EXPLICIT,)), ProposedContext(3, FIND, (EXPLICIT,)))
    found = answer(request(*contexts, user=user), supported, 1)
    assert found.roles == (RoleSelection(CT, scu=False, scp=True), RoleSelection(FIND, scu=True, scp=False))
    ct, find = found.accepted
    assert (ct.requestor_is_scu, ct.requestor_is_scp) == (False, True)
    assert (find.requestor_is_scu, find.requestor_is_scp) == (True, False)
    assert answer(request(*contexts), supported, 1).roles == ()


def test_extended_negotiation_is_answered_for_accepted_classes() -> None:
    user = UserInformation(extended=tuple(ExtendedNegotiation(uid, b"\1\1") for uid in (FIND, CT, PRINT)))
    contexts = (ProposedContext(1, CT, (EXPLICIT,)), ProposedContext(3, FIND, (EXPLICIT,)))
    assert answer(request(*contexts, user=user), supported, 1).extended == (ExtendedNegotiation(FIND, b"\1"),)


@pytest.mark.parametrize(
    ("proposed", "answered"),
    [(None, None), ((1, 1), (1, 1)), ((0, 0), (16, 16)), ((100, 4), (16, 4)), ((5, 0), (5, 16))],
)
def test_window(proposed: tuple[int, int] | None, answered: tuple[int, int] | None) -> None:
    user = UserInformation(window=None if proposed is None else AsynchronousWindow(*proposed))
    window = answer(request(user=user), supported, 16).window
    assert window == (None if answered is None else AsynchronousWindow(*answered))


@pytest.mark.parametrize(
    ("answered", "agreed"),
    [(None, (1, 1)), ((3, 2), (3, 2)), ((0, 0), (8, 4)), ((9, 9), (8, 4)), ((1, 0), (1, 4))],
)
def test_an_answered_window_is_at_most_what_was_proposed(
    answered: tuple[int, int] | None, agreed: tuple[int, int]
) -> None:
    found = agreed_window(AsynchronousWindow(8, 4), None if answered is None else AsynchronousWindow(*answered))
    assert found == AsynchronousWindow(*agreed)


def test_agreed_contexts_are_what_was_proposed_and_accepted() -> None:
    asked = request(ProposedContext(1, CT, (EXPLICIT,)), ProposedContext(3, FIND, (EXPLICIT,)))
    accept = AssociateAccept(
        "US",
        "THEM",
        (
            AnsweredContext(1, ContextResult.ACCEPTED, EXPLICIT),
            AnsweredContext(3, ContextResult.ACCEPTED, JPEG),  # never proposed
            AnsweredContext(5, ContextResult.ACCEPTED, EXPLICIT),  # never proposed
        ),
        UserInformation(roles=(RoleSelection(CT, scu=True, scp=True),)),
    )
    (context,) = agreed_contexts(asked, accept)
    assert (context.context_id, context.requestor_is_scp) == (1, True)


UIDS = st.sampled_from([CT, FIND, PRINT, "", "1.2", IMPLICIT])
SYNTAXES = st.lists(st.sampled_from([IMPLICIT, EXPLICIT, BIG, JPEG, RLE, ""]), max_size=5).map(tuple)


@given(st.lists(st.tuples(UIDS, SYNTAXES), max_size=20))
def test_an_accepted_context_has_what_was_proposed(proposals: list[tuple[str, tuple[str, ...]]]) -> None:
    contexts = [ProposedContext(2 * n + 1, uid, syntaxes) for n, (uid, syntaxes) in enumerate(proposals)]
    found = answer(request(*contexts), supported, 1)
    assert [c.context_id for c in found.contexts] == [c.context_id for c in contexts]
    by_id = {c.context_id: c for c in contexts}
    for accepted in found.accepted:
        assert accepted.abstract_syntax == by_id[accepted.context_id].abstract_syntax
        assert accepted.transfer_syntax in by_id[accepted.context_id].transfer_syntaxes
