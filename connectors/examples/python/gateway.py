"""A small connector: cards at a JSON gateway, the one that `interlock dev` simulates.

Begin your own here: `descriptor.py` says what the connector may do, `perform.py` translates operations, `reply.py` reads
what the gateway answers, `webhook.py` what it tells of its own accord. `component.py` makes a component of it.
"""

from interlock_connector import Connector, Host
from interlock_connector.types import Context, Delivery, Descriptor, Inbound, Operation, Outcome

import descriptor
import perform
import webhook


class Gateway(Connector):
    def describe(self) -> Descriptor:
        return descriptor.DESCRIPTOR

    def perform(self, ctx: Context, operation: Operation, host: Host) -> Outcome:
        return perform.perform(ctx, operation, host)

    def receive(self, ctx: Context, inbound: Inbound, host: Host) -> Delivery:
        return webhook.receive(ctx, inbound, host)
