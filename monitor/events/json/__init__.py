"""JSON events: one a message, an array, or one a line."""
