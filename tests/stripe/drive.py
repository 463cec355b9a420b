"""Drives Stripe's API at the base URL given, with Stripe's own library for Python; ends at the first surprise."""

import sys
import time

import stripe

BASE_URL, API_KEY = sys.argv[1:3]
client = stripe.StripeClient(API_KEY, base_addresses={"api": BASE_URL}, max_network_retries=0).v1
CARD = {"payment_method": "pm_card_visa", "allowed_payment_method_types": ["card"]}


def pay(amount, options=None, **more):
    params = {"amount": amount, "currency": "usd", "confirm": True, **CARD, **more}
    return client.payment_intents.create(params, options or {})


def refused(error_type, code, call):
    try:
        call()
    except error_type as error:
        assert error.code == code, error
        return error
    raise AssertionError(f"{code} was expected")


# Created, confirmed, captured in part, refunded in two parts, listed page by page.
made = client.payment_intents.create({"amount": 2000, "currency": "usd", "capture_method": "manual", **CARD})
assert (made.status, made.latest_charge) == ("requires_confirmation", None), made
held = client.payment_intents.confirm(made.id, {"expand": ["latest_charge"]})
assert (held.status, held.amount_capturable, held.latest_charge.captured) == ("requires_capture", 2000, False), held
taken = client.payment_intents.capture(made.id, {"amount_to_capture": 1500, "metadata": {"parcel": "1"}})
assert (taken.status, taken.amount_received, taken.metadata["parcel"]) == ("succeeded", 1500, "1"), taken
for amount in (500, 1000):
    refund = client.refunds.create({"payment_intent": made.id, "amount": amount, "metadata": {"of": made.id}})
    assert (refund.status, refund.amount, refund.payment_intent) == ("succeeded", amount, made.id), refund
listed = client.refunds.list({"payment_intent": made.id, "limit": 1})
assert listed.has_more and [refund.amount for refund in listed.auto_paging_iter()] == [1000, 500]
assert client.refunds.retrieve(refund.id).metadata["of"] == made.id
refused(stripe.InvalidRequestError, "charge_already_refunded", lambda: client.refunds.create({"payment_intent": made.id}))

# Captured several times, and the rest released.
several = pay(1000, capture_method="manual", payment_method_options={"card": {"request_multicapture": "if_available"}})
part = client.payment_intents.capture(several.id, {"amount_to_capture": 300, "final_capture": False})
assert (part.status, part.amount_capturable, part.amount_received) == ("requires_capture", 700, 300), part
rest = client.payment_intents.capture(several.id, {"amount_to_capture": 0, "final_capture": True})
assert (rest.status, rest.amount_capturable, rest.amount_received) == ("succeeded", 0, 300), rest

# Called off, and too late for that.
held = pay(1000, capture_method="manual")
gone = client.payment_intents.cancel(held.id, {"cancellation_reason": "abandoned"})
assert (gone.status, gone.cancellation_reason) == ("canceled", "abandoned"), gone
paid = pay(1000)
late = refused(
    stripe.InvalidRequestError, "payment_intent_unexpected_state", lambda: client.payment_intents.cancel(paid.id)
)
assert late.error.payment_intent.status == "succeeded", late.error

# A key is answered as the first time, and belongs to one request.
key = {"idempotency_key": f"key-of-{made.id}"}
first, again = pay(700, key), pay(700, key)
assert first.id == again.id and again.last_response.headers["idempotent-replayed"] == "true"
refused(stripe.IdempotencyError, None, lambda: pay(701, key))

# Declined, challenged, not understood, unknown.
no = refused(
    stripe.CardError, "card_declined", lambda: pay(1000, payment_method="pm_card_chargeDeclinedInsufficientFunds")
)
assert no.error.decline_code == "insufficient_funds" and no.error.network_decline_code == "51", no.error
assert client.payment_intents.retrieve(no.error.payment_intent.id).status == "requires_payment_method"
asked = pay(1000, payment_method="pm_card_threeDSecure2Required", return_url="https://shop.example/back")
assert asked.status == "requires_action" and asked.next_action.redirect_to_url.url.startswith("http"), asked
refused(stripe.InvalidRequestError, "parameter_unknown", lambda: pay(1000, colour="red"))
refused(
    stripe.InvalidRequestError,
    "payment_method_types_no_longer_supported",
    lambda: pay(1000, payment_method_types=["card"]),
)
refused(stripe.InvalidRequestError, "resource_missing", lambda: client.payment_intents.retrieve("pi_nobody"))

# All of them, page by page; and one found by its metadata, once the search has caught up.
pages = client.payment_intents.list({"limit": 2}).auto_paging_iter()
ids = [intent.id for intent in pages]
assert len(ids) == len(set(ids)) == 7, ids
noted = pay(900, metadata={"order": f"order of {made.id}"})
deadline = time.monotonic() + 30
while not (found := client.payment_intents.search({"query": f"metadata['order']:'order of {made.id}'"}).data):
    assert time.monotonic() < deadline, "the search never found it"
    time.sleep(0.2)
assert [intent.id for intent in found] == [noted.id]
