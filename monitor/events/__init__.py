"""Events: from the bytes of messages to columns. Pure: no I/O, no clock.

`MessageDecoder` takes a micro-batch of mixed formats; `JsonDecoder` and `ArrowDecoder` take one format each, and
`table` takes the flat tables of files.
"""
