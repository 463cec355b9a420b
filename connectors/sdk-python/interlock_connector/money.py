"""Minor units and decimal strings, without floats: what gateways write as "12.50" and as 1250."""

import re

# Currencies by how many decimals their minor unit has. ISO 4217; the same lists as in the SDKs of the other languages.
_CURRENCIES = {
    0: "BIFCLPDJFGNFISKJPYKMFKRWPYGRWFUGXUYIVNDVUVXAFXOFXPF",
    2: "AEDAFNALLAMDANGAOAARSAUDAWGAZNBAMBBDBDTBGNBMDBNDBOBBOVBRLBSDBTNBWPBYNBZDCADCDFCHECHFCHW"
    "CNYCOPCOUCRCCUCCUPCVECZKDKKDOPDZDEGPERNETBEURFJDFKPGBPGELGHSGIPGMDGTQGYDHKDHNLHRKHTGHUFIDRILSINRIRRJMDKESKGSKHRKPW"
    "KYDKZTLAKLBPLKRLRDLSLMADMDLMGAMKDMMKMNTMOPMRUMURMVRMWKMXNMXVMYRMZNNADNGNNIONOKNPRNZDPABPENPGKPHPPKRPLNQARRONRSDRUB"
    "SARSBDSCRSDGSEKSGDSHPSLESLLSOSSRDSSPSTNSVCSYPSZLTHBTJSTMTTOPTRYTTDTWDTZSUAHUSDUSNUYUUZSVEDVESWSTXADXCDXCGYERZARZMWZWGZWL",
    3: "BHDIQDJODKWDLYDOMRTND",
    4: "CLFUYW",
}
_EXPONENTS = {
    codes[at : at + 3]: decimals for decimals, codes in _CURRENCIES.items() for at in range(0, len(codes), 3)
}

_DECIMAL = re.compile(r"([0-9]{1,40})(?:\.([0-9]{1,40}))?")

# The largest amounts that the contract can carry.
_U64_MAX = 2**64 - 1
_S64_MAX = 2**63 - 1


def exponent(currency: str) -> int | None:
    """How many decimals the currency's minor unit has: 2 for EUR, 0 for JPY, 3 for KWD.

    None for what is no currency of ISO 4217. A gateway with its own idea of some currency needs its own exception to this.
    """
    return _EXPONENTS.get(currency)


def to_decimal(minor_units: int, exponent: int) -> str:
    """`minor_units` with `exponent` decimals: 1250 and 2 make "12.50"."""
    digits = str(minor_units).rjust(exponent + 1, "0")
    return f"{digits[:-exponent]}.{digits[-exponent:]}" if exponent > 0 else digits


def from_decimal(text: str, exponent: int) -> int | None:
    """The minor units of a decimal text: "12.50", "12.5" and "12" with 2 decimals make 1250, 1250 and 1200.

    None for a sign, an exponent, a comma, a space, more decimals than the currency has (unless they are zeros), and what
    is too large.
    """
    parts = _DECIMAL.fullmatch(text)
    if parts is None:
        return None
    whole, decimals = parts.group(1), parts.group(2) or ""
    if decimals[exponent:].strip("0"):
        return None
    minor_units = int(whole + decimals[:exponent].ljust(exponent, "0"))
    return minor_units if minor_units <= _U64_MAX else None


def from_signed_decimal(text: str, exponent: int) -> int | None:
    """As `from_decimal`, with a minus in front where it is below zero: settlement files have such amounts."""
    is_below_zero = text.startswith("-")
    minor_units = from_decimal(text[1:] if is_below_zero else text, exponent)
    if minor_units is None or minor_units > _S64_MAX + is_below_zero:
        return None
    return -minor_units if is_below_zero else minor_units
