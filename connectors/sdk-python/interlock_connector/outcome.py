"""Shorter ways to say what came of an operation."""

import re

from .types import Accepted, Approval, Money

Pairs = list[tuple[str, str]]

# What the host lets through of a network's code: printable ASCII.
_NETWORK_CODE = re.compile("[ -~]{1,64}")


def approval(gateway_reference: str, amount: Money, references: Pairs | None = None) -> Approval:
    """An approval that says no more than what was done and how much; totals and the like can be set on it."""
    return Approval(
        gateway_reference=gateway_reference,
        amount=amount,
        captured_total=None,
        refunded_total=None,
        references=references or [],
        network_reference=None,
        authorization_code=None,
        capture_before=None,
        extra=[],
    )


def network_code(code: str | None) -> str | None:
    """The card network's or issuer's code behind the gateway's, for `Decline.network_code`, if the gateway passes one on.

    What the contract has no room for (empty, longer than 64 bytes, not printable ASCII) is left out: a decline is worth
    more than its code.
    """
    return code if code is not None and _NETWORK_CODE.fullmatch(code) else None


def accepted(gateway_reference: str, references: Pairs | None = None) -> Accepted:
    """That the gateway has it under this reference, and what later operations are to know."""
    return Accepted(gateway_reference, references or [])
