"""Makes a component of a connector: what the contract wants exported, in terms of what the sandbox has to call."""

from collections.abc import Callable
from typing import TypeVar

from componentize_py_types import Err
from wit_world.imports import egress, log, signatures

from . import types
from .connector import Connector
from .failure import Failure

_T = TypeVar("_T")


class _Sandbox:
    def exchange(self, request: types.Request) -> types.Response:
        return egress.exchange(request)

    def verify(self, mac: types.Mac, secret: str, data: bytes, expected: bytes) -> int | None:
        return signatures.verify(mac, secret, data, expected)

    def log(self, level: types.Level, message: str) -> None:
        log.write(level, message)


def exports(connector: Connector) -> tuple[type, type, type, type, type]:
    """The contract's exports, in this order:

        Description, Gateway, Sessions, Webhooks, Settlement = exports(MyConnector())
    """
    host = _Sandbox()

    class Description:
        def describe(self) -> types.Descriptor:
            return connector.describe()

    class Gateway:
        def perform(self, ctx: types.Context, operation: types.Operation) -> types.Outcome:
            return _failing(lambda: connector.perform(ctx, operation, host))

    class Sessions:
        def open_session(self, ctx: types.Context) -> types.Opening | None:
            return connector.open_session(ctx)

    class Webhooks:
        def receive(self, ctx: types.Context, inbound: types.Inbound) -> types.Delivery:
            return _failing(lambda: connector.receive(ctx, inbound, host))

    class Settlement:
        def read(self, ctx: types.Context, file: bytes) -> list[types.Line]:
            return _failing(lambda: connector.settlement(ctx, file))

    return Description, Gateway, Sessions, Webhooks, Settlement


def _failing(call: Callable[[], _T]) -> _T:
    try:
        return call()
    except Failure as failure:
        raise Err(types.Failure(failure.message)) from failure
