"""Checks webhooks (a JSON list of signature and body on standard input) with Stripe's own library for Python."""

import json
import sys

import stripe

SECRET = sys.argv[1]

for signature, body in json.load(sys.stdin):
    event = stripe.Webhook.construct_event(body.encode(), signature, SECRET)
    assert event.type == json.loads(body)["type"] and event.data.object.id, event
    for forged, secret in ((body.replace('"livemode":false', '"livemode":true'), SECRET), (body, "whsec_other")):
        try:
            stripe.Webhook.construct_event(forged.encode(), signature, secret)
        except stripe.SignatureVerificationError:
            continue
        raise AssertionError("a forged webhook was believed")
