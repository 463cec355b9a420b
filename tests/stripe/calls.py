"""Makes the calls of calls.json with Stripe's own library for Python, one after the other, at the base URL given."""

import json
import sys
from pathlib import Path

import stripe

BASE_URL, API_KEY, IDEMPOTENCY_KEY = sys.argv[1:4]

client = stripe.StripeClient(API_KEY, base_addresses={"api": BASE_URL}, max_network_retries=0)
for call in json.loads(Path(__file__).with_name("calls.json").read_text()):
    resource, verb = call["call"].split(".")
    options = {}
    if verb not in ("retrieve", "list", "search"):
        options["idempotency_key"] = IDEMPOTENCY_KEY
    if "account" in call:
        options["stripe_account"] = call["account"]
    about = [call["id"]] if "id" in call else []
    getattr(getattr(client.v1, resource), verb)(*about, params=call["params"], options=options)
