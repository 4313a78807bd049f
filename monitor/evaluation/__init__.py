"""The score role's logic, with no I/O: absorb sketches, let the watermark close windows, compare with the reference."""
