"""Flat files of predictions: Parquet, Arrow, CSV and JSON lines, as tables or events, some rows at a time."""
