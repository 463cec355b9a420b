"""Building requests: headers, bodies and URLs, with holes where the host is to fill in what the connector must not see."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias, TypeVar, Union

from . import types
from .template import Null, Template, template

Json: TypeAlias = Union[str, int, bool, None, Null, Template, Sequence["Json"], Mapping[str, "Json"]]
"""A value of a JSON body. Members stand in the order of the dictionary; one that is None is left out, and `NULL` is null.
Numbers are whole: what has a fraction is written as a string."""

Text: TypeAlias = Union[str, Template]

_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_ESCAPED = re.compile('["\\\\\x00-\x1f]')
_T = TypeVar("_T")


def get(url: str, headers: Mapping[str, Text] | None = None) -> types.Request:
    """A request that only reads, and may be sent again."""
    return types.Request(
        types.Method.GET, url, _fields(headers), types.Body_Empty(), [], types.Effect.READS, resendable=True
    )


def write(
    method: types.Method,
    url: str,
    headers: Mapping[str, Text] | None = None,
    body: types.Body | None = None,
    computed: list[types.Computed] | None = None,
    effect: types.Effect = types.Effect.MOVES_MONEY,
    resendable: bool = False,
) -> types.Request:
    """A request that moves money and may not be sent again, until `effect` and `resendable` say otherwise.

    That is what is safe where nothing is said. Names of headers are in lower case; those that frame the message (`host`,
    `content-length`, `connection` …) are the host's, and the body brings its own `content-type`.
    """
    return types.Request(method, url, _fields(headers), body or types.Body_Empty(), computed or [], effect, resendable)


def idempotency_key(operation: types.Operation, nth: int) -> str:
    """The gateway's idempotency key for the operation's `nth` writing request, counted from 1: `<id>`, `<id>-2`, …"""
    return f"{operation.id}-{nth}" if nth > 1 else operation.id


def json_body(value: Json) -> types.Body:
    """A JSON body."""
    writer = _JsonWriter()
    writer.value(value)
    return types.Body_Json(writer.end())


def form(values: Mapping[str, str | int | Template | None]) -> types.Body:
    """A form, its fields in their order. The host encodes names and values, text and holes alike."""
    given = {name: str(value) if isinstance(value, int) else value for name, value in values.items()}
    return types.Body_Form(_fields({name: value for name, value in given.items() if value is not None}))


def raw(content_type: str, value: Text) -> types.Body:
    """A body of any other kind. Holes are filled as they are: escape nothing around them that they would need."""
    return types.Body_Raw((content_type, list(template(value).segments)))


def path_segment(text: str) -> str:
    """`text` as one segment of a path: what a gateway's id becomes before it stands in a URL.

    Everything but the unreserved characters of RFC 3986 is percent-encoded.
    """
    return "".join(chr(byte) if byte in _UNRESERVED else f"%{byte:02X}" for byte in text.encode())


def with_query(url: str, query: Mapping[str, str]) -> str:
    """`url` with a query of the given names and values. The URL must have none yet."""
    pairs = [f"{path_segment(name)}={path_segment(value)}" for name, value in query.items()]
    return f"{url}?{'&'.join(pairs)}" if pairs else url


def _fields(values: Mapping[str, Text] | None) -> list[tuple[str, list[types.Segment]]]:
    return [(name, list(template(value).segments)) for name, value in (values or {}).items()]


class _JsonWriter:
    """The template so far: finished segments, and the text since the last hole."""

    def __init__(self) -> None:
        self.done: list[types.Segment] = []
        self.text: list[str] = []

    def end(self) -> list[types.Segment]:
        self._flush()
        return self.done

    def value(self, value: Json) -> None:
        if isinstance(value, Template):
            self._template(value)
        elif isinstance(value, str):
            self.text.append(f'"{_escaped(value)}"')
        elif isinstance(value, bool):
            self.text.append("true" if value else "false")
        elif isinstance(value, int):
            self.text.append(str(value))
        elif isinstance(value, Null):
            self.text.append("null")
        elif isinstance(value, Mapping):
            self._list("{", "}", [member for member in value.items() if member[1] is not None], self._member)
        elif isinstance(value, Sequence):
            self._list("[", "]", value, self.value)
        else:
            raise TypeError(f"{type(value).__name__} has no place in a JSON body")

    def _member(self, member: tuple[str, Json]) -> None:
        name, value = member
        self.text.append(f'"{_escaped(name)}":')
        self.value(value)

    def _list(self, begin: str, end: str, items: Iterable[_T], write: Callable[[_T], None]) -> None:
        self.text.append(begin)
        for at, item in enumerate(items):
            if at > 0:
                self.text.append(",")
            write(item)
        self.text.append(end)

    def _template(self, value: Template) -> None:
        self.text.append('"')
        for segment in value.segments:
            if isinstance(segment, types.Segment_Text):
                self.text.append(_escaped(segment.value))
            else:
                self._flush()
                self.done.append(segment)
        self.text.append('"')

    def _flush(self) -> None:
        self.done.append(types.Segment_Text("".join(self.text)))
        self.text = []


def _escaped(text: str) -> str:
    """The inside of a JSON string, written as the SDKs of the other languages write it."""
    return _ESCAPED.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    sign = found.group()
    if sign in '"\\':
        return "\\" + sign
    return "\\n" if sign == "\n" else f"\\u{ord(sign):04x}"
