"""What the component exports: the contract's five interfaces, in terms of the connector."""

from interlock_connector.component import exports

from gateway import Gateway as Connector

Description, Gateway, Sessions, Webhooks, Settlement = exports(Connector())
