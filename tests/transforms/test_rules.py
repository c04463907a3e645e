"""A retry looks again at what rules of another version refused, so rules must not change within a version."""

import hashlib

from jobs import rules

# Of version 2 the parser reads amounts of the dummy record that it did not read before.
FINGERPRINTS = {1: "47fe1d319ba6dfdb", 2: "47fe1d319ba6dfdb"}


def fingerprint():
    """What the rules are, in their order, as Spark spells them out."""
    definitions = [f"{rule.name}: {rule.violated()}" for rule in (*rules.STRUCTURE_RULES, *rules.TRANSACTION_RULES)]
    return hashlib.sha256("\n".join(definitions).encode()).hexdigest()[:16]


def test_changed_rules_have_a_version_of_their_own(spark):
    told = f"raise rules.RULES_VERSION and note {fingerprint()} for it here"
    assert fingerprint() == FINGERPRINTS.get(rules.RULES_VERSION), told


def test_the_fingerprint_tells_one_rule_from_another(spark, monkeypatch):
    before = fingerprint()
    monkeypatch.setattr(rules, "LONGEST_TEXT", 255)

    assert fingerprint() != before
