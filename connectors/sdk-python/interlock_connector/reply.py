"""Reading what the gateway said.

What cannot be read is a `Failure`, never a guess, and quotes nothing of the reply: it may hold a customer's data.
"""

import json
import re
from collections.abc import Callable
from typing import Any, NoReturn, Protocol, TypeVar

from .failure import Failure
from .types import Response

Document = dict[str, Any]
"""A JSON object that was read."""

_T = TypeVar("_T")
_U64_MAX = 2**64 - 1

# Values in values, at most. In a component the reader's own bound lies beyond the stack: it would end the run.
_DEPTH_MAX = 128
_STRING_OR_BRACKET = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[\]{}]', re.DOTALL)


class Message(Protocol):
    """A reply, or a webhook."""

    headers: list[tuple[str, str]]
    body: bytes


def is_success(response: Response) -> bool:
    """Whether the status is one of 200 to 299."""
    return 200 <= response.status < 300


def header(message: Message, name: str) -> str | None:
    """The first header of that name (in lower case), as the gateway spells it or not, of a reply or of a webhook."""
    return next((value for known, value in message.headers if known.lower() == name), None)


def document(message: Message) -> Document:
    """The body as a JSON object."""
    try:
        text = message.body.decode()
        if _is_deep(text):
            raise Failure("a body is too deep")
        # Names that are no JSON: NaN, Infinity.
        value = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise Failure("a body is no JSON") from None
    if not isinstance(value, dict):
        raise Failure("a body is no JSON object")
    return value


def _is_deep(text: str) -> bool:
    if text.count("[") + text.count("{") <= _DEPTH_MAX:
        return False
    depth = 0
    for found in _STRING_OR_BRACKET.finditer(text):
        sign = text[found.start()]
        if sign in "[{":
            depth += 1
            if depth > _DEPTH_MAX:
                return True
        elif sign in "]}":
            depth -= 1
    return False


def _no_number(name: str) -> NoReturn:
    raise ValueError(name)


def field(document: Document, name: str, read: Callable[[Any], _T | None]) -> _T:
    """The member `name` as `read` reads it: one of `text`, `integer`, `boolean`, `object_`, `array`, `one_of`.

    A failure that names it where it is missing, null or something else.
    """
    value = optional(document, name, read)
    if value is None:
        raise Failure(f"a reply has no readable member {name}")
    return value


def optional(document: Document, name: str, read: Callable[[Any], _T | None]) -> _T | None:
    """As `field`; None where the member is missing or null."""
    value = document.get(name)
    if value is None:
        return None
    known = read(value)
    if known is None:
        raise Failure(f"a reply has no readable member {name}")
    return known


def text(value: Any) -> str | None:
    """Reads a text."""
    return value if isinstance(value, str) else None


def integer(value: Any) -> int | None:
    """Reads a whole number that is not below zero: an amount in minor units."""
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    return value if is_whole and 0 <= value <= _U64_MAX else None


def boolean(value: Any) -> bool | None:
    """Reads `true` or `false`."""
    return value if isinstance(value, bool) else None


def object_(value: Any) -> Document | None:
    """Reads an object."""
    return value if isinstance(value, dict) else None


def array(value: Any) -> list[Any] | None:
    """Reads an array."""
    return value if isinstance(value, list) else None


def one_of(*words: str) -> Callable[[Any], str | None]:
    """Reads one of the known words: an unknown one is never guessed at."""
    return lambda value: value if isinstance(value, str) and value in words else None
