"""Text with holes: what the host fills in when the request has left the sandbox."""

from dataclasses import dataclass

from . import types


@dataclass(frozen=True)
class Template:
    """Pieces of text and holes, one after the other."""

    segments: tuple[types.Segment, ...]


class Null:
    """What is written as `null` in a JSON body; a member that is None is left out."""


NULL = Null()


class Hole:
    """Holes for what the payment brings along."""

    CARD_NUMBER = Template((types.Segment_CardNumber(),))
    CARD_CVC = Template((types.Segment_CardCvc(),))
    CARD_HOLDER = Template((types.Segment_CardHolder(),))
    CARD_EXPIRY_MONTH = Template((types.Segment_CardExpiryMonth(),))
    CARD_EXPIRY_YEAR = Template((types.Segment_CardExpiryYear(),))
    CARD_EXPIRY_YEAR_SHORT = Template((types.Segment_CardExpiryYearShort(),))
    WALLET_TOKEN = Template((types.Segment_WalletToken(),))
    GATEWAY_TOKEN = Template((types.Segment_GatewayToken(),))


def template(*pieces: str | Template) -> Template:
    """Text and holes in a row: `template("Bearer ", secret("api_key"))`."""
    segments: list[types.Segment] = []
    for piece in pieces:
        if isinstance(piece, Template):
            segments.extend(piece.segments)
        else:
            segments.append(types.Segment_Text(piece))
    return Template(tuple(segments))


def secret(name: str) -> Template:
    """A hole for a secret of the gateway account, by the name that the descriptor declares."""
    return Template((types.Segment_Secret(name),))


def basic_auth(first: str, second: str) -> Template:
    """A hole for `base64("first:second")`, each the name of a secret, or "" for nothing: what stands after `Basic `."""
    return Template((types.Segment_BasicAuth((first, second)),))


def session(name: str) -> Template:
    """A hole for a value that `open_session` had the host keep."""
    return Template((types.Segment_Session(name),))


def computed(name: str) -> Template:
    """A hole for the result of one of the request's computed values."""
    return Template((types.Segment_Computed(name),))
