"""Flat files of predictions: Parquet, CSV and JSON lines, as tables or events, some rows at a time."""
