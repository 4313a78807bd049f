"""The join of late labels with predictions, in blocks. Pure: no client, no clock."""
