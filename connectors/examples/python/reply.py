"""Charges, refunds and refusals as the gateway writes them, and what they mean to us."""

from dataclasses import dataclass
from typing import Self

from interlock_connector import (
    DeclineTable,
    Failure,
    Host,
    accepted,
    approval,
    document,
    field,
    integer,
    network_code,
    object_,
    one_of,
    optional,
    text,
)
from interlock_connector.reply import Document
from interlock_connector.types import (
    DeclineCode,
    Money,
    Outcome,
    Outcome_Authorized,
    Outcome_Captured,
    Outcome_Declined,
    Outcome_NotProcessed,
    Outcome_Pending,
    Outcome_Refunded,
    Response,
    RetryAdvice,
)

CHARGE = "charge"
"""The name under which the charge's id is kept between operations."""

DECLINES = DeclineTable({
    "do_not_honor": (DeclineCode.DO_NOT_HONOR, RetryAdvice.NEVER),
    "expired_card": (DeclineCode.EXPIRED_CARD, RetryAdvice.NEVER),
    "incorrect_number": (DeclineCode.INCORRECT_NUMBER, RetryAdvice.NEVER),
    "insufficient_funds": (DeclineCode.INSUFFICIENT_FUNDS, RetryAdvice.OTHER_GATEWAY),
    "invalid_amount": (DeclineCode.MISCONFIGURED, RetryAdvice.OTHER_GATEWAY),
    "invalid_currency": (DeclineCode.CURRENCY_UNSUPPORTED, RetryAdvice.OTHER_GATEWAY),
    "invalid_cvc": (DeclineCode.INCORRECT_CVC, RetryAdvice.NEVER),
    "invalid_number": (DeclineCode.INCORRECT_NUMBER, RetryAdvice.NEVER),
    "invalid_request": (DeclineCode.MISCONFIGURED, RetryAdvice.OTHER_GATEWAY),
    "refund_declined": (DeclineCode.OTHER, RetryAdvice.NEVER),
    "unauthenticated": (DeclineCode.MISCONFIGURED, RetryAdvice.OTHER_GATEWAY),
})
"""The gateway's words for declines and refusals. Only where another gateway may see it differently does it pay to ask
one."""


@dataclass
class Refusal:
    code: str
    message: str
    network_code: str | None = None
    """What the card network said, where the gateway passes it on."""

    @classmethod
    def read(cls, refusal: Document) -> Self:
        return cls(
            code=field(refusal, "code", text),
            message=optional(refusal, "message", text) or "",
            network_code=network_code(optional(refusal, "network_code", text)),
        )


@dataclass
class Charge:
    """A charge. Amounts in minor units; `captured` is cumulative."""

    id: str
    reference: str
    """The operation that the reply speaks of."""
    amount: int
    captured: int
    currency: str
    status: str
    decline: Refusal | None
    step: str | None
    """Which operation `reference` names, where that is not the charge itself."""

    @classmethod
    def read(cls, charge: Document) -> Self:
        step = optional(charge, "step", object_)
        decline = optional(charge, "decline", object_)
        return cls(
            id=field(charge, "id", text),
            reference=field(charge, "reference", text),
            amount=field(charge, "amount", integer),
            captured=field(charge, "captured", integer),
            currency=field(charge, "currency", text),
            # A status that is not listed makes the reply unreadable, and the operation unknown: never a guess.
            status=field(charge, "status", one_of("authorized", "captured", "pending", "declined")),
            decline=None if decline is None else Refusal.read(decline),
            step=None if step is None else field(step, "kind", text),
        )

    def outcome(self, host: Host) -> Outcome:
        """What it says of the operation that made it."""
        references = [(CHARGE, self.id)]
        match self.status:
            case "authorized":
                return Outcome_Authorized(approval(self.id, Money(self.amount, self.currency), references))
            case "captured":
                return Outcome_Captured(approval(self.id, Money(self.captured, self.currency), references))
            case "pending":
                return Outcome_Pending(accepted(self.id, references))
            case _:
                return _declined(self.decline or Refusal("", ""), self.id, references, host)

    def capture_outcome(self, host: Host) -> Outcome:
        """What it says of its capture."""
        if self.status == "authorized":
            raise Failure("the charge has a status that does not follow from what was asked")
        return self.outcome(host)


@dataclass
class Refunded:
    id: str
    charge: str
    reference: str
    amount: int
    currency: str
    status: str

    @classmethod
    def read(cls, refund: Document) -> Self:
        return cls(
            id=field(refund, "id", text),
            charge=field(refund, "charge", text),
            reference=field(refund, "reference", text),
            amount=field(refund, "amount", integer),
            currency=field(refund, "currency", text),
            status=field(refund, "status", one_of("succeeded", "pending", "declined")),
        )

    def outcome(self, host: Host) -> Outcome:
        """What it says of the refund that made it."""
        references = [(CHARGE, self.charge), ("refund", self.id)]
        match self.status:
            case "succeeded":
                return Outcome_Refunded(approval(self.id, Money(self.amount, self.currency), references))
            case "pending":
                return Outcome_Pending(accepted(self.id, references))
            case _:
                refusal = Refusal("refund_declined", "The gateway declined the refund.")
                return _declined(refusal, self.id, references, host)


def charge(reply: Response) -> Charge | None:
    """The charge that a reply carries; None where its status says that it carries none. 402 carries a declined one."""
    if reply.status not in (200, 201, 402):
        return None
    found = Charge.read(document(reply))
    _is_consistent(reply, found.status)
    return found


def refund(reply: Response) -> Refunded | None:
    """As `charge`, for a refund."""
    if reply.status not in (200, 201, 402):
        return None
    found = Refunded.read(document(reply))
    _is_consistent(reply, found.status)
    return found


def _is_consistent(reply: Response, status: str) -> None:
    if reply.status == 402 and status != "declined":
        raise Failure("the reply's status and body contradict each other")


def refused(reply: Response, host: Host) -> Outcome:
    """What a reply means that carries neither.

    What is final, the gateway says in words; and of 409 and 429 with the code `not_processed` it promises that nothing
    happened. Everything else says nothing, so the outcome stays unknown.
    """
    if reply.status in (400, 401, 403, 404, 422):
        error = _error_of(reply)
        return Outcome_Declined(DECLINES.decline(error.code, error.message, host))
    if reply.status in (409, 429) and _error_of(reply).code == "not_processed":
        return Outcome_NotProcessed(None)
    raise Failure("the gateway's status says nothing about what became of the request")


def is_not_found(reply: Response) -> bool:
    """Whether the gateway says, in words, that it knows no such thing. A 404 of something in between proves nothing."""
    if reply.status != 404:
        return False
    try:
        return _error_of(reply).code == "not_found"
    except Failure:
        return False


def _error_of(reply: Response) -> Refusal:
    return Refusal.read(field(document(reply), "error", object_))


def _declined(refusal: Refusal, id: str, references: list[tuple[str, str]], host: Host) -> Outcome:
    decline = DECLINES.decline(refusal.code, refusal.message, host)
    decline.network_code = refusal.network_code
    decline.gateway_reference = id
    decline.references = references
    return Outcome_Declined(decline)
