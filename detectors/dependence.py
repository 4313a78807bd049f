"""What dependent rows do to a null distribution, as the reference's own panes show it.

Rows that come one after another resemble each other, so windows differ by more than independent rows would make them.
A reference with times is cut into panes of a window's length, and each is compared with the rest. Every method gives a
*dispersion*: its squared statistic over what independent rows make it on average. The mean of that over the panes is
the *design effect*: the factor by which dependence divides the rows. With P panes it is known with some P - 1 degrees
of freedom, so that the calibrated distributions have heavier tails than those of theory: F where theory has a
chi-square, Student's t where it has a normal distribution.

References
----------
Kish (1965), Survey Sampling, Wiley, section 5.4. Rao & Scott (1981), The analysis of categorical data from complex
sample surveys, Journal of the American Statistical Association 76(374), 221-230. Thomas & Rao (1987), Small-sample
comparisons of level and power for simple goodness-of-fit statistics under cluster sampling, ibid. 82(398), 630-636: F
in the place of the chi-square. Satterthwaite (1946), An approximate distribution of estimates of variance components,
Biometrics Bulletin 2(6), 110-114; Rao & Scott (1984), On chi-squared tests for multiway contingency tables with cell
proportions estimated from survey data, Annals of Statistics 12(1), 46-60: of the statistic, the second-order
correction.
"""

import msgspec
import numpy as np

from detectors.arrays import Floats, Ints


class DesignEffect(msgspec.Struct, frozen=True, kw_only=True):
    """One method's, for the rows of a comparison.

    Attributes
    ----------
    ratio: (rows,) at least 1; 1 where the panes show no dependence, and theory stands alone.
    df: (rows,) panes less one, at least 1.
    nu: (rows,) degrees of freedom of the statistic that the panes show; infinite where they do not say.
    """

    ratio: Floats
    df: Floats
    nu: Floats

    @classmethod
    def none(cls, n_rows: int) -> "DesignEffect":
        """Independent rows."""
        return cls(ratio=np.ones(n_rows), df=np.ones(n_rows), nu=np.full(n_rows, np.inf))

    def of_rows(self, rows: Ints) -> "DesignEffect":
        """Some of the rows."""
        return DesignEffect(ratio=self.ratio[rows], df=self.df[rows], nu=self.nu[rows])

    def only_dependent(self, p_value: Floats) -> Floats:
        """(rows,) the p-values where panes show dependence, NaN elsewhere."""
        return np.where(self.ratio > 1.0, p_value, np.nan)

    def quadratic_sf(self, x: Floats, mean: Floats, variance: Floats) -> Floats:
        """(rows,) of a statistic like a chi-square with this mean and variance under independence.

        Dependence makes it a sum of chi-squares with unequal weights, whose tail is heavier: the panes show by how much
        it scatters about its mean, which is its degrees of freedom (Satterthwaite). How skew it is they cannot show,
        being
        few: the weights are taken as gamma-distributed, whose third moment follows from the first two. The larger tail
        of both, of F with nu (P - 1) below, as the mean is known from the panes.
        """
        from scipy import special

        p = np.full(self.ratio.shape, np.nan)
        rows = (self.ratio > 1.0).nonzero()[0]
        if not rows.size:
            return p
        mean, variance, ratio, df = mean[rows], variance[rows], self.ratio[rows], self.df[rows]
        free = (mean > 0.0) & (variance > 0.0)
        mean, variance = np.where(free, mean, 1.0), np.where(free, variance, 1.0)
        theory = 2.0 * mean**2 / variance
        nu = np.minimum(theory, self.nu[rows])
        y = np.maximum(x[rows], 0.0) / (mean * ratio)
        unequal = theory / nu - 1.0  # squared coefficient of variation of the weights
        skewed = theory * (1.0 + unequal) / (1.0 + 2.0 * unequal) ** 2
        placed = np.maximum(1.0 + (y - 1.0) * np.sqrt(nu / skewed), 0.0)
        two, three = special.fdtrc(nu, nu * df, y), special.fdtrc(skewed, nu * df, placed)
        p[rows] = np.where(free, np.maximum(two, three), 1.0)
        return p

    def normal_sf(self, z: Floats) -> Floats:
        """(rows,) two-sided, of a statistic that is standard normal under independence: Student's t."""
        from scipy import special

        p = np.full(self.ratio.shape, np.nan)
        rows = (self.ratio > 1.0).nonzero()[0]
        p[rows] = 2.0 * special.stdtr(self.df[rows], -np.abs(z[rows]) / np.sqrt(self.ratio[rows]))
        return p

    def kolmogorov_sf(self, z: Floats) -> Floats:
        """(rows,) of sqrt(n m / (n + m)) D: 2 exp(-2 z^2) averaged over the uncertain design effect, whose squared
        distances between distribution functions have some 2.5 degrees of freedom a pane."""
        df = 2.5 * self.df
        p = 2.0 * (1.0 + 4.0 * z**2 / self.ratio / df) ** (-df / 2.0)
        return self.only_dependent(np.minimum(p, 1.0))
