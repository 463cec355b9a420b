"""What connectors in Python share.

A connector is an object with the methods of `Connector`. They are straight-line code without clock, random numbers, I/O
or secrets: they ask the host to send a request, read the reply, and say what it means. Where a secret or a card number
belongs, they leave a hole that the host fills after the request has left the sandbox.

The contract is `wit/connector.wit`; `interlock_connector.types` has it in Python. `interlock_connector.component` makes a
component of a connector; everything else can be imported by any Python that has `stubs/` on its path, for tests.
"""

from .connector import Connector, Host
from .context import is_recent, reference, required_reference, required_setting, setting, url
from .decline import DeclineTable
from .failure import Failure
from .money import exponent, from_decimal, from_signed_decimal, to_decimal
from .outcome import accepted, approval, network_code
from .reply import array, boolean, document, field, header, integer, is_success, object_, one_of, optional, text
from .request import form, get, idempotency_key, json_body, path_segment, raw, with_query, write
from .template import NULL, Hole, Template, basic_auth, computed, secret, session, template
from .webhook import acknowledged, from_base64, from_hex

__all__ = [
    "NULL",
    "Connector",
    "DeclineTable",
    "Failure",
    "Hole",
    "Host",
    "Template",
    "accepted",
    "acknowledged",
    "approval",
    "array",
    "basic_auth",
    "boolean",
    "computed",
    "document",
    "exponent",
    "field",
    "form",
    "from_base64",
    "from_decimal",
    "from_hex",
    "from_signed_decimal",
    "get",
    "header",
    "idempotency_key",
    "integer",
    "is_recent",
    "is_success",
    "json_body",
    "network_code",
    "object_",
    "one_of",
    "optional",
    "path_segment",
    "raw",
    "reference",
    "required_reference",
    "required_setting",
    "secret",
    "session",
    "setting",
    "template",
    "text",
    "to_decimal",
    "url",
    "with_query",
    "write",
]
