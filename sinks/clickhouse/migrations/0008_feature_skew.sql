-- Drafted from `sinks.records`.

ALTER TABLE drift_verdicts COMMENT COLUMN IF EXISTS `compare` 'what the window was compared with: `pinned`, `trailing 28d`, `season hour_of_week`, `version 3`; `sequential adwin`: a sequential detector, whose windows are panes of label time; `recomputed`: the same features computed again, see `feature_skew`';

ALTER TABLE drift_verdicts COMMENT COLUMN IF EXISTS `q_value` 'in [0, 1]: Benjamini-Hochberg over the window\'s columns and segments; what rests on labels is a family of its own, so are features computed again; NaN, as the p-value, of a sequential detector';

ALTER TABLE drift_verdicts COMMENT COLUMN IF EXISTS `direction` '`up`, `down`, `wider`, `narrower`, `reshaped`, `new category`, `category gone`, `category up`, `category down`, `more missing`, `fewer missing`, `more invalid`, `fewer invalid`, `above range`, `below range`, `fewer features`, `fewer predictions`; of losses `worse`, `better`, `changed relation`, `worse in part`, `masked` (in part, while the whole stands still); of labels `later`, `sooner`, `labels missing`, `labels selective`; of features computed again `skewed`; `none` where nothing drifted';

CREATE TABLE IF NOT EXISTS feature_skew
(
    `model` LowCardinality(String) COMMENT 'the model\'s name',
    `version` LowCardinality(String) COMMENT 'the model\'s version, as its predictions say',
    `column` LowCardinality(String) COMMENT 'the feature',
    `window_start` DateTime64(3, 'UTC') COMMENT 'first instant of the window' CODEC(DoubleDelta, ZSTD(1)),
    `window_end` DateTime64(3, 'UTC') COMMENT 'end of the window, exclusive' CODEC(DoubleDelta, ZSTD(1)),
    `reference` LowCardinality(String) COMMENT 'digest of the reference that predictions were read by',
    `n_compared` UInt64 COMMENT 'with a value on either side (pairs)' CODEC(T64, ZSTD(1)),
    `n_mismatched` UInt64 COMMENT 'whose values differ beyond the tolerance, or of which one side has none (pairs)' CODEC(T64, ZSTD(1)),
    `share` Float64 COMMENT 'n_mismatched / n_compared, in [0, 1]; NaN without pairs' CODEC(ZSTD(1)),
    `ci_low` Float64 COMMENT 'of the share\'s 95 % interval (Wilson); NaN without pairs' CODEC(ZSTD(1)),
    `ci_high` Float64 COMMENT 'of the share\'s 95 % interval (Wilson); NaN without pairs' CODEC(ZSTD(1)),
    `n_one_sided` UInt64 COMMENT 'with a value on one side, and null or invalid on the other (pairs)' CODEC(T64, ZSTD(1)),
    `n_served_only` UInt64 COMMENT 'of them, those whose value was served; where that is n_compared, the feature was not computed again and has no verdict (pairs)' CODEC(T64, ZSTD(1)),
    `mean_difference` Float64 COMMENT 'served less recomputed, where both are numbers; NaN of categories and without pairs (the feature\'s)' CODEC(ZSTD(1)),
    `std_difference` Float64 COMMENT 'the standard deviation of these differences; NaN below two (the feature\'s)' CODEC(ZSTD(1)),
    `tolerance` Float64 COMMENT 'by which share of the larger equal numbers may differ, as configured' CODEC(ZSTD(1)),
    `revision` UInt64 COMMENT '1, and one more with each correction, new pairs among them' CODEC(T64, ZSTD(1)),
    `inserted_at` DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(DoubleDelta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(revision)
PARTITION BY toYYYYMM(window_start)
ORDER BY (model, version, column, window_start, window_end, reference)
TTL toDateTime(inserted_at) + toIntervalDay(400)
COMMENT 'How one feature of the predictions of one window differs from what it is when computed again, pair by pair, joined by `prediction_id`. Only models with `feature_skew`, and windows with such pairs.';

CREATE OR REPLACE VIEW feature_skew_latest AS
SELECT * EXCEPT (inserted_at) FROM feature_skew FINAL;

ALTER TABLE label_outcomes COMMENT COLUMN IF EXISTS `outcome` '`matched` now; `repeated`, `corrected`, `superseded` labels; `duplicate_prediction`; labels that came before their prediction (`label_before_prediction`), later than its horizon (`label_overdue`), or when it had passed (`too_late`); `expired`: predictions that no label came for; `orphan`: labels of no prediction; `unknown_model`. Of features computed again: `features_compared` pairs now; `duplicate_features`; pairs further apart than the horizon (`features_overdue`), or when it had passed (`features_too_late`); `features_not_recomputed`; `features_orphan`: of no prediction';
