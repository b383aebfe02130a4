"""PURE: answers an association request (PS3.7 annex D, PS3.8 §9.3.3). Never knows who asks, nor what a service does."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dicomweb_server.dicom.uids import (
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)
from dicomweb_server.dimse.items import (
    AnsweredContext,
    AsynchronousWindow,
    ContextResult,
    ExtendedNegotiation,
    ProposedContext,
    RoleSelection,
    UserInformation,
)
from dicomweb_server.dimse.pdu import AssociateAccept, AssociateRequest

# Encodings that every sender can make of every other of them, best first: explicit VR keeps what private elements are.
NATIVE = (EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_BIG_ENDIAN)


@dataclass(frozen=True, slots=True)
class Support:
    """How one SOP class is supported.

    `transfer_syntaxes`: those that we take, None is any; `sent`: those that we can send, None is the same. `scp`,
    `scu`: what we may act as; the requestor may be the other (SCP in C-GET and storage commitment). `extended`: service
    class application information → our answer to it.
    """

    transfer_syntaxes: frozenset[str] | None
    scp: bool = True
    scu: bool = False
    extended: Callable[[bytes], bytes] | None = None
    sent: frozenset[str] | None = None

    def syntaxes(self, *, for_sending: bool) -> frozenset[str] | None:
        """Those of one direction."""
        return self.sent if for_sending and self.sent is not None else self.transfer_syntaxes


Supported = Callable[[str], Support | ContextResult]
"""SOP class → how it is supported, or why it is not."""


@dataclass(frozen=True, slots=True)
class Context:
    """An accepted presentation context. `requestor_is_scp`: requests about it may go the other way too."""

    context_id: int
    abstract_syntax: str
    transfer_syntax: str
    requestor_is_scu: bool = True
    requestor_is_scp: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What we answer to an association request: every context, the accepted ones again, and user information."""

    contexts: tuple[AnsweredContext, ...]
    accepted: tuple[Context, ...]
    roles: tuple[RoleSelection, ...]
    extended: tuple[ExtendedNegotiation, ...]
    window: AsynchronousWindow | None


def answer(request: AssociateRequest, supported: Supported, most_operations: int) -> Answer:
    """Every proposed context is answered; roles, extended negotiation and the window only where they were proposed."""
    proposed_roles = {role.sop_class_uid: role for role in request.user.roles}
    roles = {}
    answered, accepted = [], []
    for proposal in request.contexts:
        support = supported(proposal.abstract_syntax)
        if isinstance(support, ContextResult):
            answered.append(_refused(proposal, support))
            continue
        role = _role(proposed_roles.get(proposal.abstract_syntax), support)
        for_sending = role is not None and role.scp
        syntaxes = support.syntaxes(for_sending=for_sending)
        transfer_syntax = chosen_transfer_syntax(proposal.transfer_syntaxes, syntaxes, for_sending=for_sending)
        if role is not None:
            roles[role.sop_class_uid] = role
        if not (support.scp if role is None else role.scu or role.scp):
            answered.append(_refused(proposal, ContextResult.USER_REJECTION))
            continue
        if transfer_syntax is None:
            answered.append(_refused(proposal, ContextResult.TRANSFER_SYNTAXES_NOT_SUPPORTED))
            continue
        answered.append(AnsweredContext(proposal.context_id, ContextResult.ACCEPTED, transfer_syntax))
        accepted.append(_context(proposal, transfer_syntax, role))
    return Answer(
        tuple(answered),
        tuple(accepted),
        tuple(roles.values()),
        _extended(request.user, supported, {context.abstract_syntax for context in accepted}),
        _window(request.user.window, most_operations),
    )


def chosen_transfer_syntax(
    proposed: Sequence[str], supported: frozenset[str] | None, *, for_sending: bool = False
) -> str | None:
    """The sender's first that we take: the order says what it has at hand. Only among native encodings ours counts.

    `for_sending`: we may send in it: then a native one if there is one, for what we have may be in any encoding.
    """
    possible = [uid for uid in proposed if supported is None or uid in supported]
    if not possible:
        return None
    if possible[0] not in NATIVE and not for_sending:
        return possible[0]
    return next((uid for uid in NATIVE if uid in possible), possible[0])


def agreed_contexts(request: AssociateRequest, accept: AssociateAccept) -> tuple[Context, ...]:
    """The contexts that an acceptor has accepted; answers to what was not proposed do not count."""
    proposals = {proposal.context_id: proposal for proposal in request.contexts}
    roles = {role.sop_class_uid: role for role in accept.user.roles}
    return tuple(
        _context(proposal, context.transfer_syntax, roles.get(proposal.abstract_syntax))
        for context in accept.contexts
        if context.result is ContextResult.ACCEPTED
        and (proposal := proposals.get(context.context_id)) is not None
        and context.transfer_syntax in proposal.transfer_syntaxes
    )


def _role(proposed: RoleSelection | None, support: Support) -> RoleSelection | None:
    if proposed is None:
        return None
    return RoleSelection(proposed.sop_class_uid, scu=proposed.scu and support.scp, scp=proposed.scp and support.scu)


def _context(proposal: ProposedContext, transfer_syntax: str, role: RoleSelection | None) -> Context:
    scu, scp = (role.scu, role.scp) if role is not None else (True, False)
    return Context(proposal.context_id, proposal.abstract_syntax, transfer_syntax, scu, scp)


def _refused(proposal: ProposedContext, result: ContextResult) -> AnsweredContext:
    # The transfer syntax is not significant here; some peers want one all the same.
    syntax = proposal.transfer_syntaxes[0] if proposal.transfer_syntaxes else IMPLICIT_VR_LITTLE_ENDIAN
    return AnsweredContext(proposal.context_id, result, syntax)


def _extended(user: UserInformation, supported: Supported, accepted: set[str]) -> tuple[ExtendedNegotiation, ...]:
    answers = []
    for proposal in user.extended:
        support = supported(proposal.sop_class_uid)
        if proposal.sop_class_uid in accepted and isinstance(support, Support) and support.extended is not None:
            answers.append(ExtendedNegotiation(proposal.sop_class_uid, support.extended(proposal.information)))
    return tuple(answers)


def agreed_window(proposed: AsynchronousWindow, answered: AsynchronousWindow | None) -> AsynchronousWindow:
    """What an answer to ours, where there is one, allows: no more than we have proposed."""
    if answered is None:
        return AsynchronousWindow(1, 1)
    return AsynchronousWindow(
        min(answered.invoked or proposed.invoked, proposed.invoked),
        min(answered.performed or proposed.performed, proposed.performed),
    )


def _window(proposed: AsynchronousWindow | None, most_operations: int) -> AsynchronousWindow | None:
    """Our answer: the requestor invokes at most what we perform; we invoke no more than it performs (PS3.7 D.3.3.3)."""
    if proposed is None:
        return None
    return AsynchronousWindow(
        invoked=min(proposed.invoked or most_operations, most_operations),
        performed=min(proposed.performed or most_operations, most_operations),
    )
