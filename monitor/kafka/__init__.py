"""Kafka as every role uses it: client settings, Driftline's own topics, and where an error leaves us."""
