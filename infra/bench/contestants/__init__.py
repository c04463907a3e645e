"""The programs that take part; each speaks the protocol of `protocol.py`."""
