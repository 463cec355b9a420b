"""What a connector is, and what it may call."""

from typing import Protocol

from . import types


class Host(Protocol):
    """What a connector may call. In a component it is the sandbox's imports, in tests whatever the test hands over."""

    def exchange(self, request: types.Request) -> types.Response:
        """Has a request sent and gives the gateway's reply, whatever its status.

        Looks like a call that blocks. In fact the run may end here and begin again once the reply is there, which is why a
        connector must be pure.
        """
        ...

    def verify(self, mac: types.Mac, secret: str, data: bytes, expected: bytes) -> int | None:
        """Checks `expected` against the MAC of `data` under the named secret. What proves it, for `Event.proof`."""
        ...

    def log(self, level: types.Level, message: str) -> None:
        """Leaves a line in the host's log. No place for personal data."""
        ...


class Connector:
    """A gateway's translator.

    It holds nothing between calls: every call gets all it may depend on, and the host throws the instance away after each.
    The methods must be pure, and the host checks that: no attribute that changes, no clock, no random numbers.
    """

    def describe(self) -> types.Descriptor:
        """What the connector is and what it may do; the host holds it to that."""
        raise NotImplementedError

    def perform(self, ctx: types.Context, operation: types.Operation, host: Host) -> types.Outcome:
        """Carries out one operation.

        A `Failure` says that the gateway's words make no sense; the host then treats the operation as unknown.
        """
        raise NotImplementedError

    def receive(self, ctx: types.Context, inbound: types.Inbound, host: Host) -> types.Delivery:
        """Reads a webhook. A `Failure` refuses the delivery."""
        raise NotImplementedError

    def open_session(self, ctx: types.Context) -> types.Opening | None:
        """How to open a session, for gateways that want a short-lived token. None where they do not."""
        return None

    def settlement(self, ctx: types.Context, file: bytes) -> list[types.Line]:
        """Reads a settlement file. No lines where the gateway has none."""
        return []
