"""One method a file. A new file with a registered class is a new method; nothing else needs to know of it."""
