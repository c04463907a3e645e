"""Fraud as it is known from mobile money, planted into the dummy data, and the ordinary things that look like it.

A typology is a pure function from a `scene.Scene` to a `scene.Case`; `planting` mixes cases into drawn transactions and
says in a manifest which they are. Nothing of that is on the wire.
"""
