"""The contracts: `transaction_event.json` is what the topic carries, `tables` what the lake holds."""
