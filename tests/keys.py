"""A key ring of the tests' own, as MOMO_KEYS has it."""

import json

KEY = {"secret": "dGhlIHRlc3RzIG93biBrZXksIG5vdCBhIHNlY3JldC4=", "created_at": "2026-03-27T18:00:00+00:00"}
KEYS = json.dumps({"active": "k1", "keys": {"k1": KEY}})
