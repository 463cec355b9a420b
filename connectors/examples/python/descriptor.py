"""What the connector says of itself. The operator approves it, and the host holds the connector to it."""

from interlock_connector.types import (
    Descriptor,
    Features,
    KeyEncoding,
    Location,
    Method,
    OperationKind,
    OperationRules,
    Placement,
    Resolution,
    Resolution_AwaitWebhook,
    Resolution_FindByOperationId,
    Resolution_Resend,
    Setting,
    SettingKind,
)

ORIGIN = "setting:base_url"
"""The gateway as its account names it."""
KEY_WINDOW_S = 86_400
"""How long the gateway remembers an idempotency key: a day."""
LOOKUP_SETTLES_S = 30
"""After this long, what the gateway has not heard of is not on its way any more."""
PENDING_S = 86_400
"""The longest that something stays pending: a day."""

WRITES: list[Resolution] = [
    Resolution_Resend(KEY_WINDOW_S),
    Resolution_FindByOperationId(LOOKUP_SETTLES_S),
    Resolution_AwaitWebhook(),
]


def _setting(name: str, kind: SettingKind, required: bool, help: str) -> Setting:
    return Setting(name, kind, KeyEncoding.UTF8, required, None, help, identity=kind == SettingKind.URL)


def _placement(hole: str, method: Method, location: Location, name: str) -> Placement:
    return Placement(hole, method, ORIGIN, "/", location, name)


def _rules(kind: OperationKind, resolutions: list[Resolution]) -> OperationRules:
    return OperationRules(kind, resolutions, PENDING_S)


DESCRIPTOR = Descriptor(
    name="tiny-python",
    version="0.1.0",
    display_name="Tiny Python",
    methods=["card"],
    currencies=[],
    origins=[ORIGIN],
    settings=[
        _setting("base_url", SettingKind.URL, True, "Where the gateway is."),
        _setting("api_key", SettingKind.SECRET, True, "The gateway's API key."),
        _setting("webhook_secret", SettingKind.SECRET, False, "What the gateway signs webhooks with."),
    ],
    placements=[
        _placement("secret:api_key", Method.GET, Location.HEADER, "authorization"),
        _placement("secret:api_key", Method.POST, Location.HEADER, "authorization"),
        _placement("card-number", Method.POST, Location.JSON_STRING, "/method/number"),
        _placement("card-expiry-month", Method.POST, Location.JSON_STRING, "/method/expiry_month"),
        _placement("card-expiry-year", Method.POST, Location.JSON_STRING, "/method/expiry_year"),
        _placement("card-cvc", Method.POST, Location.JSON_STRING, "/method/cvc"),
    ],
    operations=[
        _rules(OperationKind.AUTHORIZE, WRITES),
        _rules(OperationKind.CAPTURE, WRITES),
        _rules(OperationKind.REFUND, WRITES),
        _rules(OperationKind.SYNC, []),
    ],
    features=Features(partial_capture=False, multiple_capture=False, partial_refund=True, cancel=False),
)
