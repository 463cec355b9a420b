"""Operations: what is asked of the gateway, and which of its answers speaks of what was asked."""

from typing import TypeVar

from interlock_connector import (
    Failure,
    Hole,
    Host,
    Template,
    get,
    idempotency_key,
    json_body,
    path_segment,
    required_reference,
    secret,
    template,
    url,
    with_query,
    write,
)
from interlock_connector.request import Json
from interlock_connector.types import (
    Action_Authorize,
    Action_Capture,
    Action_Refund,
    Action_Sync,
    Authorize,
    Capture,
    CaptureMethod,
    Context,
    Method,
    Operation,
    Outcome,
    Outcome_NeverReceived,
    PaymentMethod_Card,
    Refund,
    Response,
    Sync,
    SyncTarget_Authorize,
    SyncTarget_Capture,
    SyncTarget_Refund,
)

import reply
from reply import CHARGE, Charge, Refunded

_T = TypeVar("_T", Charge, Refunded)


def perform(ctx: Context, operation: Operation, host: Host) -> Outcome:
    match operation.action:
        case Action_Authorize(action):
            return _authorize(ctx, operation, action, host)
        case Action_Capture(action):
            return _capture(ctx, operation, action, host)
        case Action_Refund(action):
            return _refund(ctx, operation, action, host)
        case Action_Sync(action):
            return _sync(ctx, action, host)
        case _:
            raise Failure("the gateway has no such operation")


def _authorize(ctx: Context, operation: Operation, authorize: Authorize, host: Host) -> Outcome:
    if not isinstance(authorize.method, PaymentMethod_Card):
        raise Failure("the gateway takes cards alone")
    answer = _ask(ctx, operation, "/charges", host, {
        "reference": operation.id,
        "amount": authorize.amount.minor_units,
        "currency": authorize.amount.currency,
        "capture": authorize.capture == CaptureMethod.AUTOMATIC,
        "method": {
            "type": "card",
            "number": Hole.CARD_NUMBER,
            "expiry_month": Hole.CARD_EXPIRY_MONTH,
            "expiry_year": Hole.CARD_EXPIRY_YEAR,
            "cvc": Hole.CARD_CVC if authorize.method.value.has_cvc else None,
        },
        "description": authorize.description,
    })
    charge = _about(reply.charge(answer), operation.id)
    return charge.outcome(host) if charge else reply.refused(answer, host)


def _capture(ctx: Context, operation: Operation, capture: Capture, host: Host) -> Outcome:
    id = required_reference(operation, CHARGE)
    answer = _ask(ctx, operation, f"/charges/{path_segment(id)}/capture", host, {
        "reference": operation.id,
        "amount": capture.amount.minor_units,
        "final": capture.is_final,
    })
    charge = _about(reply.charge(answer), operation.id)
    return charge.capture_outcome(host) if charge else reply.refused(answer, host)


def _refund(ctx: Context, operation: Operation, refund: Refund, host: Host) -> Outcome:
    id = required_reference(operation, CHARGE)
    answer = _ask(ctx, operation, f"/charges/{path_segment(id)}/refunds", host, {
        "reference": operation.id,
        "amount": refund.amount.minor_units,
        "reason": refund.reason,
    })
    refunded = _about(reply.refund(answer), operation.id)
    return refunded.outcome(host) if refunded else reply.refused(answer, host)


def _sync(ctx: Context, sync: Sync, host: Host) -> Outcome:
    """What became of an operation whose outcome is unknown: looked up by its id, which the gateway knows as `reference`."""
    match sync.target:
        case SyncTarget_Authorize() | SyncTarget_Capture():
            path = "/charges"
        case SyncTarget_Refund():
            path = "/refunds"
        case _:
            raise Failure("the gateway has no such operation")
    address = with_query(url(ctx, "base_url", path), {"reference": sync.target_id})
    answer = host.exchange(get(address, {"authorization": _bearer()}))
    if reply.is_not_found(answer):
        return Outcome_NeverReceived()
    if isinstance(sync.target, SyncTarget_Refund):
        refunded = _about(reply.refund(answer), sync.target_id)
        if refunded:
            return refunded.outcome(host)
    else:
        charge = _about(reply.charge(answer), sync.target_id)
        if charge:
            is_capture = isinstance(sync.target, SyncTarget_Capture)
            return charge.capture_outcome(host) if is_capture else charge.outcome(host)
    # A refusal here refuses the question; it says nothing about the operation that was asked about.
    raise Failure("the gateway refused the question")


def _ask(ctx: Context, operation: Operation, path: str, host: Host, body: Json) -> Response:
    """Has a writing request sent.

    No operation of this gateway writes twice, so every key is the operation's first. The gateway promises that the same
    request under the same key has no second effect.
    """
    headers: dict[str, str | Template] = {
        "authorization": _bearer(),
        "idempotency-key": idempotency_key(operation, 1),
    }
    address = url(ctx, "base_url", path)
    return host.exchange(write(Method.POST, address, headers, json_body(body), resendable=True))


def _bearer() -> Template:
    return template("Bearer ", secret("api_key"))


def _about(found: _T | None, operation_id: str) -> _T | None:
    """A reply about another operation is somebody else's money."""
    if found is not None and found.reference != operation_id:
        raise Failure("the reply speaks of another operation")
    return found
