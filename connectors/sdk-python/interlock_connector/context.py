"""What a call is given besides its operation: settings, references, time."""

from .failure import Failure
from .types import Context, Operation


def setting(ctx: Context, name: str) -> str | None:
    """The value of a public setting; None where the account leaves it open and the descriptor has no default."""
    return _find(ctx.settings, name)


def required_setting(ctx: Context, name: str) -> str:
    """The value of a setting that the descriptor declares as required."""
    value = setting(ctx, name)
    if value is None:
        raise Failure(f"the account has no setting {name}")
    return value


def url(ctx: Context, name: str, path: str) -> str:
    """The setting `name`, a base URL, followed by `path` (which begins with a slash), with one slash in between."""
    return required_setting(ctx, name).rstrip("/") + path


def is_recent(ctx: Context, seconds: int, tolerance_seconds: int) -> bool:
    """Whether the Unix time `seconds` lies no further from the moment of the call than the tolerance, in either direction.

    How old a webhook may be, and how far the clocks may differ.
    """
    return abs(ctx.now // 1000 - seconds) <= tolerance_seconds


def reference(operation: Operation, name: str) -> str | None:
    """A reference that an earlier outcome of the attempt returned, by the connector's own name for it."""
    return _find(operation.references, name)


def required_reference(operation: Operation, name: str) -> str:
    """As `reference`, where the operation makes no sense without it."""
    value = reference(operation, name)
    if value is None:
        raise Failure(f"no earlier outcome gave the reference {name}")
    return value


def _find(pairs: list[tuple[str, str]], name: str) -> str | None:
    # The last one: later outcomes are merged after earlier ones.
    return next((value for known, value in reversed(pairs) if known == name), None)
