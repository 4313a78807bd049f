"""A first configuration from rows: `driftline init`. What is guessed is written down, and said."""
