"""What runs around the stream: the set-up, the broker and the demo.

`set_up`, `java` and `jars` use the standard library alone, for they run before anything is installed.
"""
