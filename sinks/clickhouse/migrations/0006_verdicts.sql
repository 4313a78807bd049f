-- Drafted from `sinks.records`.

CREATE TABLE IF NOT EXISTS drift_verdicts
(
    `model` LowCardinality(String) COMMENT 'the model\'s name',
    `version` LowCardinality(String) COMMENT 'the model\'s version, as its events say',
    `segment` LowCardinality(String) COMMENT '`dimension=value`; empty: the whole',
    `column` LowCardinality(String) COMMENT 'a feature, `@score` or `@label` of the prediction, `@coverage`, or `@joint` of all features',
    `window_start` DateTime64(3, 'UTC') COMMENT 'first instant of the window' CODEC(DoubleDelta, ZSTD(1)),
    `window_end` DateTime64(3, 'UTC') COMMENT 'end of the window, exclusive' CODEC(DoubleDelta, ZSTD(1)),
    `reference` LowCardinality(String) COMMENT 'digest of the reference whose cells were compared',
    `compare` LowCardinality(String) COMMENT 'what the window was compared with: `pinned`, `trailing 28d`, `season hour_of_week`, `version 3`',
    `drifted` Bool COMMENT 'the effect reaches its threshold, and significantly so',
    `p_value` Float64 COMMENT 'in [0, 1]: Simes over the column\'s methods' CODEC(ZSTD(1)),
    `q_value` Float64 COMMENT 'in [0, 1]: Benjamini-Hochberg over the window\'s columns and segments' CODEC(ZSTD(1)),
    `method` LowCardinality(String) COMMENT 'the method that says most',
    `effect` Float64 COMMENT 'its debiased effect, at least 0 (the method\'s own unit)' CODEC(ZSTD(1)),
    `threshold` Float64 COMMENT 'the smallest effect that counts (the method\'s own unit)' CODEC(ZSTD(1)),
    `direction` LowCardinality(String) COMMENT '`up`, `down`, `wider`, `narrower`, `reshaped`, `new category`, `category gone`, `category up`, `category down`, `more missing`, `fewer missing`, `more invalid`, `fewer invalid`, `above range`, `below range`, `fewer features`, `fewer predictions`; `none` where nothing drifted',
    `quantity` LowCardinality(String) COMMENT 'what changed most: `mean`, `share of UA`; empty where nothing drifted',
    `before` Float64 COMMENT 'its value in what was compared with; else NaN (the quantity\'s)' CODEC(ZSTD(1)),
    `after` Float64 COMMENT 'its value in the window; else NaN (the quantity\'s)' CODEC(ZSTD(1)),
    `n_reference` UInt64 COMMENT 'the method\'s, of what was compared with (values)' CODEC(T64, ZSTD(1)),
    `n_current` UInt64 COMMENT 'the method\'s, of the window (values)' CODEC(T64, ZSTD(1)),
    `revision` UInt64 COMMENT '1, and one more with each correction' CODEC(T64, ZSTD(1)),
    `inserted_at` DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(DoubleDelta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(revision)
PARTITION BY toYYYYMM(window_start)
ORDER BY (model, version, segment, column, window_start, window_end, reference, compare)
TTL toDateTime(inserted_at) + toIntervalDay(400)
COMMENT 'The verdict on one column of one segment in one window: what all methods say together, corrected over all columns and segments of the window. `drift_scores` has the evidence.';

CREATE OR REPLACE VIEW drift_verdicts_latest AS
SELECT * EXCEPT (inserted_at) FROM drift_verdicts FINAL;
