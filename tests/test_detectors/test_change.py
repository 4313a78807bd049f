"""How the part of a numeric column that changed most is told to people."""

import pytest

from detectors.change import range_text


@pytest.mark.parametrize(
    ("low", "high", "told"),
    [
        (0.312664, 0.413604, "0.313 to 0.414"),
        (152.001, 170.001, "152 to 170"),
        (1020.01, 1089.01, "1,020 to 1,089"),
        (None, 371.0, "up to 371"),
        (250.001, None, "above 250"),
        (999.9, 1001.2, "999.9 to 1,001"),
        (151.9999, 152.0001, "151.9999 to 152.0001"),
        (-5.5, -1.25, "-5.5 to -1.25"),
        (1e-9, 2e-9, "1e-09 to 2e-09"),
        (1.36e9, 1.4e9, "1.36e+09 to 1.4e+09"),
    ],
)
def test_bounds_have_three_digits_or_as_many_as_tell_them_apart(
    low: float | None, high: float | None, told: str
) -> None:
    assert range_text(low, high) == told
