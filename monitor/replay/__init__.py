"""The pure core over files, with no broker."""
