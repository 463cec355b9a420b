/** Minor units and decimal strings, without floats: what gateways write as "12.50" and as 1250. */

/** Currencies by how many decimals their minor unit has. ISO 4217; the same lists as in the SDKs of the other languages. */
const CURRENCIES = [
  [0, "BIFCLPDJFGNFISKJPYKMFKRWPYGRWFUGXUYIVNDVUVXAFXOFXPF"],
  [
    2,
    "AEDAFNALLAMDANGAOAARSAUDAWGAZNBAMBBDBDTBGNBMDBNDBOBBOVBRLBSDBTNBWPBYNBZDCADCDFCHECHFCHW" +
      "CNYCOPCOUCRCCUCCUPCVECZKDKKDOPDZDEGPERNETBEURFJDFKPGBPGELGHSGIPGMDGTQGYDHKDHNLHRKHTGHUFIDRILSINRIRRJMDKESKGSKHRKPW" +
      "KYDKZTLAKLBPLKRLRDLSLMADMDLMGAMKDMMKMNTMOPMRUMURMVRMWKMXNMXVMYRMZNNADNGNNIONOKNPRNZDPABPENPGKPHPPKRPLNQARRONRSDRUB" +
      "SARSBDSCRSDGSEKSGDSHPSLESLLSOSSRDSSPSTNSVCSYPSZLTHBTJSTMTTOPTRYTTDTWDTZSUAHUSDUSNUYUUZSVEDVESWSTXADXCDXCGYERZARZMWZWGZWL",
  ],
  [3, "BHDIQDJODKWDLYDOMRTND"],
  [4, "CLFUYW"],
];

/** @type {Map<string, number>} */
const EXPONENTS = new Map();
for (const [decimals, list] of CURRENCIES) {
  for (const code of String(list).match(/.{3}/g) ?? []) EXPONENTS.set(code, Number(decimals));
}

/** The largest amounts that the contract can carry. */
const U64_MAX = 2n ** 64n - 1n;
const S64_MAX = 2n ** 63n - 1n;

/**
 * How many decimals the currency's minor unit has: 2 for EUR, 0 for JPY, 3 for KWD. Undefined for what is no currency of
 * ISO 4217. A gateway with its own idea of some currency needs its own exception to this.
 *
 * @param {string} currency
 * @returns {number | undefined}
 */
export function exponent(currency) {
  return EXPONENTS.get(currency);
}

/**
 * `minorUnits` with `exponent` decimals: 1250n and 2 make "12.50".
 *
 * @param {bigint} minorUnits
 * @param {number} exponent
 * @returns {string}
 */
export function toDecimal(minorUnits, exponent) {
  const digits = minorUnits.toString().padStart(exponent + 1, "0");
  return exponent === 0 ? digits : `${digits.slice(0, -exponent)}.${digits.slice(-exponent)}`;
}

/**
 * The minor units of a decimal text: "12.50", "12.5" and "12" with 2 decimals make 1250n, 1250n and 1200n. Undefined for
 * a sign, an exponent, a comma, a space, more decimals than the currency has (unless they are zeros), and what is too
 * large.
 *
 * @param {string} text
 * @param {number} exponent
 * @returns {bigint | undefined}
 */
export function fromDecimal(text, exponent) {
  const parts = /^([0-9]{1,40})(?:\.([0-9]{1,40}))?$/.exec(text);
  if (parts === null) return undefined;
  const [, whole = "", decimals = ""] = parts;
  if (!/^0*$/.test(decimals.slice(exponent))) return undefined;
  const minorUnits = BigInt(whole + decimals.slice(0, exponent).padEnd(exponent, "0"));
  return minorUnits <= U64_MAX ? minorUnits : undefined;
}

/**
 * As {@link fromDecimal}, with a minus in front where it is below zero: settlement files have such amounts.
 *
 * @param {string} text
 * @param {number} exponent
 * @returns {bigint | undefined}
 */
export function fromSignedDecimal(text, exponent) {
  const isBelowZero = text.startsWith("-");
  const minorUnits = fromDecimal(isBelowZero ? text.slice(1) : text, exponent);
  if (minorUnits === undefined) return undefined;
  if (isBelowZero) return minorUnits <= S64_MAX + 1n ? -minorUnits : undefined;
  return minorUnits <= S64_MAX ? minorUnits : undefined;
}
