"""Reading webhooks: the encodings that signatures come in, and the answer to the gateway."""

from .types import Response

_HEX = frozenset("0123456789abcdefABCDEF")
_BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def acknowledged() -> Response:
    """What most gateways want to hear: 200 and nothing else."""
    return Response(200, [], b"")


def from_hex(text: str) -> bytes | None:
    """The bytes that pairs of hexadecimal digits stand for, capitals or not; None for anything else."""
    if len(text) % 2 != 0 or not _HEX.issuperset(text):
        return None
    return bytes.fromhex(text)


def from_base64(text: str) -> bytes | None:
    """The bytes that base64 stands for, in the common or the URL alphabet, with its padding or without.

    None for anything else, and where the last character carries bits that mean nothing (two spellings of one signature).
    """
    bare = text.removesuffix("==") if text.endswith("==") else text.removesuffix("=")
    is_padded = len(bare) < len(text)
    if len(bare) % 4 == 1 or (is_padded and len(text) % 4 != 0):
        return None
    decoded = bytearray()
    bits = count = 0
    for sign in bare.replace("-", "+").replace("_", "/"):
        value = _BASE64.find(sign)
        if value < 0:
            return None
        bits = bits << 6 | value
        count += 6
        if count >= 8:
            count -= 8
            decoded.append(bits >> count & 0xFF)
            bits &= (1 << count) - 1
    return bytes(decoded) if bits == 0 else None
