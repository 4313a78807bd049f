"""Faust as the score role uses it: its transport, its recovery, its credentials."""
