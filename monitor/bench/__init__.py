"""`driftline bench`: speed and memory, each figure beside a yardstick that was run in alternation."""
