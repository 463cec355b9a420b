"""What the gateway tells of its own accord, signed."""

from interlock_connector import (
    Failure,
    Host,
    acknowledged,
    document,
    field,
    from_hex,
    header,
    integer,
    is_recent,
    object_,
    text,
)
from interlock_connector.reply import Document
from interlock_connector.types import (
    Context,
    Delivery,
    Event,
    EventKind,
    EventKind_Notice,
    EventKind_Outcome,
    Inbound,
    Mac,
    OperationKind,
)

from reply import Charge, Refunded

TOLERANCE_S = 300
"""How far a signature's time may lie from ours."""


def receive(ctx: Context, inbound: Inbound, host: Host) -> Delivery:
    """Reads a delivery. One that is unsigned, stale, forged or unreadable is refused as a whole."""
    proof = _prove(ctx, inbound, host)
    told = document(inbound)
    created_ms = field(told, "created", integer) * 1000
    kind, operation_id, gateway_reference = _read(told, host)
    event = Event(
        id=field(told, "id", text),
        # A time that the contract cannot carry is none.
        occurred_at=created_ms if created_ms < 2**64 else None,
        operation_id=operation_id,
        gateway_reference=gateway_reference,
        references=[],
        kind=kind,
        proof=proof,
    )
    return Delivery([event], acknowledged())


def _read(event: Document, host: Host) -> tuple[EventKind, str | None, str | None]:
    """What an event says, and of which operation: our id and the gateway's."""
    match field(event, "type", text):
        case "charge.updated":
            charge = Charge.read(field(event, "data", object_))
            match charge.step:
                case None:
                    said = (OperationKind.AUTHORIZE, charge.outcome(host))
                case "capture":
                    said = (OperationKind.CAPTURE, charge.capture_outcome(host))
                case _:
                    raise Failure("the webhook speaks of a step that is not known")
            return EventKind_Outcome(said), charge.reference, charge.id
        case "refund.updated":
            refund = Refunded.read(field(event, "data", object_))
            return EventKind_Outcome((OperationKind.REFUND, refund.outcome(host))), refund.reference, refund.id
        case other:
            # Worth keeping, and nothing that we asked for.
            return EventKind_Notice(other), None, None


def _prove(ctx: Context, inbound: Inbound, host: Host) -> int:
    """Checks `Mock-Signature: t=<unix>,v1=<hex HMAC-SHA256 of "<t>.<body>">`."""
    signature = header(inbound, "mock-signature")
    if signature is None:
        raise Failure("the webhook is not signed")
    parts = [part.strip() for part in signature.split(",")]
    time = next((part[2:] for part in parts if part.startswith("t=")), None)
    expected = next((from_hex(part[3:]) for part in parts if part.startswith("v1=")), None)
    if time is None or expected is None:
        raise Failure("the webhook's signature cannot be read")
    if not (time.isascii() and time.isdigit() and len(time) <= 15):
        raise Failure("the webhook's signature has no time")
    if not is_recent(ctx, int(time), TOLERANCE_S):
        raise Failure("the webhook's signature is not of these minutes")
    signed = time.encode() + b"." + inbound.body
    proof = host.verify(Mac.HMAC_SHA256, "webhook_secret", signed, expected)
    if proof is None:
        raise Failure("the webhook's signature does not fit")
    return proof
