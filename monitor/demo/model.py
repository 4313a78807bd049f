"""The demo's model: does a flight arrive 15 minutes late or more? Small gradient-boosted trees, trained on January.

Its area under the ROC curve is 0.67 on January and 0.66 on February to December, both on flights it was not trained on.
January's own scores come from five models that each left every fifth day out (days, not flights: the weather of a day
is shared). Scores of flights a model was trained on are surer than any it will give later, so a reference made of them
would show drift of the score where there is none.
"""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sklearn.ensemble import HistGradientBoostingClassifier  # type: ignore[import-untyped]  # scikit-learn has no types
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # nor has threadpoolctl

from monitor.demo.flights import CATEGORICAL, FEATURES, LATE, ON_TIME, in_january, reference_rows

N_FOLDS = 5

_Floats = np.ndarray[Any, np.dtype[np.float64]]
_Bools = np.ndarray[Any, np.dtype[np.bool_]]


def add_predictions(flights: pa.Table) -> pa.Table:
    """Train on January and score every flight; the same in every run.

    Parameters
    ----------
    flights
        As `monitor.demo.flights.load_flights` gives them.

    Returns
    -------
    pyarrow.Table
        `flights` and two columns more: ``score`` (float64 from 0 to 1, six decimals) and ``label``, ``"late"`` from the
        score at which January's predictions hold as many late flights as January did.
    """
    january = in_january(flights)
    fold = np.asarray(flights["date"]).astype(np.int64) % N_FOLDS  # days since 1970
    known = np.asarray(flights["late"].is_valid())
    late = np.asarray(pc.coalesce(flights["late"], pa.scalar(False)))
    matrix = _matrix(flights, reference_rows(flights))

    learned = january & known  # cancelled and diverted flights have no answer to learn from
    scores = np.empty(flights.num_rows)
    # One thread: two are no quicker on so little data, and take minutes for seconds where other work fills the cores.
    with threadpool_limits(limits=1, user_api="openmp"):
        scores[~january] = _fit(matrix, late, learned).predict_proba(matrix[~january])[:, 1]
        for left_out in range(N_FOLDS):
            rows = january & (fold == left_out)
            scores[rows] = _fit(matrix, late, learned & (fold != left_out)).predict_proba(matrix[rows])[:, 1]
    scores = np.round(scores, 6)  # what a log would keep; the last bits may differ between machines

    threshold = np.quantile(scores[learned], 1 - late[learned].mean(), method="inverted_cdf")
    labels = np.where(scores > threshold, LATE, ON_TIME).tolist()
    return flights.append_column("score", pa.array(scores)).append_column("label", pa.array(labels, pa.string()))


def _matrix(flights: pa.Table, january: pa.Table) -> _Floats:
    """The features as numbers, `(n_flights, n_features)`; null, and a category that January has not, is NaN."""
    columns = []
    for name in FEATURES:
        values: Any = flights[name]
        if name in CATEGORICAL:
            values = pc.index_in(values, value_set=pc.unique(january[name]).sort())
        columns.append(np.asarray(values.cast(pa.float64())))
    return np.column_stack(columns)


def _fit(matrix: _Floats, late: _Bools, rows: _Bools) -> Any:
    # Shallow, slow and few: deeper trees (AUC 0.88 on what they learned from) were no better on what they had not.
    model = HistGradientBoostingClassifier(
        categorical_features=[name in CATEGORICAL for name in FEATURES],
        learning_rate=0.06,
        max_iter=60,
        max_leaf_nodes=15,
        min_samples_leaf=100,
        l2_regularization=10.0,
        early_stopping=False,
        random_state=0,
    )
    return model.fit(matrix[rows], late[rows])
