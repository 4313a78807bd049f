"""References: building one from a file, and finding those that live windows are compared with."""
