"""Arrow events: IPC streams of record batches, and flat tables."""
