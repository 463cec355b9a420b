"""The Python SDK against the vectors that all SDKs share; run by tests/black_box/languages.rs."""

import json
import unittest
from pathlib import Path

import interlock_connector as sdk
from interlock_connector import types

VECTORS = json.loads((Path(__file__).parent / "vectors.json").read_text())


def words(value):
    return None if value is None else str(value)


class Message:
    def __init__(self, body):
        self.headers = [("Content-Type", "application/json")]
        self.body = body


class Vectors(unittest.TestCase):
    def test_money(self):
        for currency, decimals in VECTORS["exponents"]:
            self.assertEqual(sdk.exponent(currency), decimals, currency)
        for units, decimals, written in VECTORS["to_decimal"]:
            self.assertEqual(sdk.to_decimal(int(units), decimals), written)
        for given, decimals, units in VECTORS["from_decimal"]:
            self.assertEqual(words(sdk.from_decimal(given, decimals)), units, given)
        for given, decimals, units in VECTORS["from_signed_decimal"]:
            self.assertEqual(words(sdk.from_signed_decimal(given, decimals)), units, given)

    def test_encodings(self):
        for given, expected in VECTORS["hex"]:
            decoded = sdk.from_hex(given)
            self.assertEqual(None if decoded is None else decoded.hex(), expected, given)
        for given, expected in VECTORS["base64"]:
            decoded = sdk.from_base64(given)
            self.assertEqual(None if decoded is None else decoded.hex(), expected, given)
        for given, segment in VECTORS["path_segments"]:
            self.assertEqual(sdk.path_segment(given), segment)
        self.assertEqual(sdk.with_query("https://x/y", {"a&b": "c=d", "e": "f"}), "https://x/y?a%26b=c%3Dd&e=f")
        self.assertEqual(sdk.with_query("https://x/y", {}), "https://x/y")

    def test_context(self):
        ctx = types.Context([("base_url", "https://x/v1//")], 1_000_000_999, b"")
        for seconds, recent in VECTORS["recent"]:
            self.assertEqual(sdk.is_recent(ctx, int(seconds), 300), recent, seconds)
        self.assertEqual(sdk.url(ctx, "base_url", "/charges"), "https://x/v1/charges")
        with self.assertRaisesRegex(sdk.Failure, "the account has no setting other"):
            sdk.url(ctx, "other", "/")
        cancel = types.Action_Cancel(types.Cancel("op_0", None))
        operation = types.Operation("op_1", "pay_1", [("a", "1"), ("a", "2")], cancel)
        self.assertEqual(sdk.reference(operation, "a"), "2")
        self.assertRaises(sdk.Failure, sdk.required_reference, operation, "b")
        self.assertEqual([sdk.idempotency_key(operation, nth) for nth in (1, 2, 12)], ["op_1", "op_1-2", "op_1-12"])

    def test_bodies(self):
        nasty = '"\\\n\t\r\x00\x7fé\u2028😀</script>'
        holes = sdk.template("x", sdk.Hole.CARD_NUMBER, '"')
        body = sdk.json_body({"a": nasty, "b": [1, True, {"c": holes}], "d": 2**64 - 1, "e": None, "f": {}})
        pieces = [piece.value if isinstance(piece, types.Segment_Text) else "|hole|" for piece in body.value]
        self.assertEqual("".join(pieces), VECTORS["json"])
        self.assertEqual(sdk.json_body(sdk.NULL).value, [types.Segment_Text("null")])
        self.assertRaises(TypeError, sdk.json_body, 0.1)
        form = sdk.form({"amount": 5, "none": None, "key": sdk.secret("api_key")})
        fields = [("amount", [types.Segment_Text("5")]), ("key", [types.Segment_Secret("api_key")])]
        self.assertEqual(form, types.Body_Form(fields))
        self.assertEqual(sdk.raw("text/xml", "<a/>").value, ("text/xml", [types.Segment_Text("<a/>")]))
        request = sdk.get("https://x/", {"authorization": sdk.template("Basic ", sdk.basic_auth("user", ""))})
        self.assertEqual((request.effect, request.resendable), (types.Effect.READS, True))
        writing = sdk.write(types.Method.POST, "https://x/")
        self.assertEqual((writing.effect, writing.resendable), (types.Effect.MOVES_MONEY, False))

    def test_replies(self):
        read = sdk.document(Message(b'{"id":"ch_1","amount":1250,"big":18446744073709551616,"half":0.5,"none":null,'
                                    b'"true":true,"status":"paid"}'))
        self.assertEqual(sdk.field(read, "id", sdk.text), "ch_1")
        self.assertEqual(sdk.field(read, "amount", sdk.integer), 1250)
        self.assertIsNone(sdk.optional(read, "none", sdk.text))
        self.assertEqual(sdk.field(read, "status", sdk.one_of("paid", "refused")), "paid")
        for name in ("big", "half", "none", "missing", "id", "true"):
            with self.assertRaisesRegex(sdk.Failure, f"a reply has no readable member {name}"):
                sdk.field(read, name, sdk.integer)
        self.assertRaises(sdk.Failure, sdk.field, read, "status", sdk.one_of("refused"))
        for body in (b"", b"<html>", b"[]", b"null", b'"x"', b"{} x", b'{"a":NaN}', b"\xff", b"[" * 100_000):
            self.assertRaises(sdk.Failure, sdk.document, Message(body))
        for deep, is_read in ((128, True), (129, False)):
            body = b'{"a":' + b"[" * (deep - 1) + b'"[[\\"[["' + b"]" * (deep - 1) + b"}"
            if is_read:
                self.assertIn("a", sdk.document(Message(body)))
            else:
                with self.assertRaisesRegex(sdk.Failure, "too deep"):
                    sdk.document(Message(body))
        brackets = b'{"a":"' + b"[{" * 1000 + b'","b":[' + b"[]," * 1000 + b"1]}"
        self.assertEqual(len(sdk.document(Message(brackets))["b"]), 1001)
        self.assertEqual(sdk.header(Message(b""), "content-type"), "application/json")

    def test_a_decline_code_that_no_table_has_is_told_and_never_tried_again(self):
        said = []

        class Host:
            def log(self, level, message):
                said.append((level, message))

        broke = (types.DeclineCode.INSUFFICIENT_FUNDS, types.RetryAdvice.OTHER_GATEWAY)
        table = sdk.DeclineTable({"broke": broke})
        known = table.decline("broke", "No.", Host())
        self.assertEqual(((known.code, known.advice), said), (broke, []))
        unknown = table.decline("new_word", "No.", Host())
        self.assertEqual((unknown.code, unknown.advice), (types.DeclineCode.OTHER, types.RetryAdvice.NEVER))
        self.assertEqual(said, [(types.Level.WARN, "the decline code new_word is in no table")])

    def test_a_networks_code_is_kept_where_the_contract_has_room_for_it(self):
        for code in ["51", "05 : Do not honor", "x" * 64]:
            self.assertEqual(sdk.network_code(code), code)
        for code in [None, "", "5\n1", "51\n", "é", "x" * 65]:
            self.assertIsNone(sdk.network_code(code), code)


if __name__ == "__main__":
    unittest.main()
