-- Drafted from `sinks.records`.

CREATE TABLE IF NOT EXISTS column_profiles
(
    `model` LowCardinality(String) COMMENT 'the model\'s name',
    `version` LowCardinality(String) COMMENT 'the model\'s version, as its events say',
    `segment` LowCardinality(String) COMMENT '`dimension=value`; empty: the whole',
    `column` LowCardinality(String) COMMENT 'a feature, or `@score` or `@label` of the prediction',
    `pane_start` DateTime64(3, 'UTC') COMMENT 'first instant of the pane' CODEC(DoubleDelta, ZSTD(1)),
    `pane_end` DateTime64(3, 'UTC') COMMENT 'end of the pane, exclusive' CODEC(DoubleDelta, ZSTD(1)),
    `reference` LowCardinality(String) COMMENT 'digest of the reference that fixed the cells',
    `kind` LowCardinality(String) COMMENT '`numeric` or `categorical`',
    `n` UInt64 COMMENT 'valid ones; nulls and invalid come on top (values)' CODEC(T64, ZSTD(1)),
    `nulls` UInt64 COMMENT 'null ones (values)' CODEC(T64, ZSTD(1)),
    `invalid` UInt64 COMMENT 'of the wrong kind, NaN or infinite (values)' CODEC(T64, ZSTD(1)),
    `minimum` Float64 COMMENT 'of a numeric column\'s valid values, else NaN' CODEC(ZSTD(1)),
    `maximum` Float64 COMMENT 'of a numeric column\'s valid values, else NaN' CODEC(ZSTD(1)),
    `mean` Float64 COMMENT 'of a numeric column\'s valid values, else NaN' CODEC(ZSTD(1)),
    `std` Float64 COMMENT 'the population\'s, of a numeric column\'s valid values, else NaN' CODEC(ZSTD(1)),
    `quantiles` Array(Float64) COMMENT 'at 0.05, 0.25, 0.5, 0.75 and 0.95; empty for a categorical column' CODEC(ZSTD(1)),
    `counts` Array(UInt64) COMMENT 'a count a cell of the reference\'s grid; categorical: its categories, `other`, `unseen` (values)' CODEC(T64, ZSTD(1)),
    `frequent_unseen` Array(Tuple(value String, count UInt64, error UInt64)) COMMENT 'values that the reference lacks; the true count lies in [count, count + error], for people' CODEC(ZSTD(3)),
    `revision` UInt64 COMMENT '1, and one more with each correction' CODEC(T64, ZSTD(1)),
    `inserted_at` DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(DoubleDelta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(revision)
PARTITION BY toYYYYMM(pane_start)
ORDER BY (model, version, segment, column, pane_start, pane_end, reference)
TTL toDateTime(inserted_at) + toIntervalDay(400)
COMMENT 'What one column of one segment held in one pane. Panes add up: `counts` of several, added cell by cell, are those of any time range.';

CREATE OR REPLACE VIEW column_profiles_latest AS
SELECT * EXCEPT (inserted_at) FROM column_profiles FINAL;

CREATE TABLE IF NOT EXISTS drift_scores
(
    `model` LowCardinality(String) COMMENT 'the model\'s name',
    `version` LowCardinality(String) COMMENT 'the model\'s version, as its events say',
    `segment` LowCardinality(String) COMMENT '`dimension=value`; empty: the whole',
    `column` LowCardinality(String) COMMENT 'a feature, or `@score` or `@label` of the prediction',
    `method` LowCardinality(String) COMMENT 'the method\'s name',
    `window_start` DateTime64(3, 'UTC') COMMENT 'first instant of the window' CODEC(DoubleDelta, ZSTD(1)),
    `window_end` DateTime64(3, 'UTC') COMMENT 'end of the window, exclusive' CODEC(DoubleDelta, ZSTD(1)),
    `reference` LowCardinality(String) COMMENT 'digest of the reference compared with',
    `statistic` Float64 COMMENT 'the effect, at least 0; NaN without values (the method\'s own unit)' CODEC(ZSTD(1)),
    `p_value` Float64 COMMENT 'in [0, 1]; NaN when insufficient' CODEC(ZSTD(1)),
    `q_value` Float64 COMMENT 'corrected over the window\'s columns; NaN when insufficient' CODEC(ZSTD(1)),
    `threshold` Float64 COMMENT 'the smallest effect that counts as drift (the method\'s own unit)' CODEC(ZSTD(1)),
    `drifted` Bool COMMENT 'the threshold is reached, and significantly so',
    `insufficient` Bool COMMENT 'too few values for a verdict; `drifted` is then false',
    `n_reference` UInt64 COMMENT 'the reference\'s, that were compared (values)' CODEC(T64, ZSTD(1)),
    `n_current` UInt64 COMMENT 'the window\'s, that were compared (values)' CODEC(T64, ZSTD(1)),
    `error_bound` Float64 COMMENT 'how far off the raw values\' statistic may be (the method\'s own unit)' CODEC(ZSTD(1)),
    `revision` UInt64 COMMENT '1, and one more with each correction' CODEC(T64, ZSTD(1)),
    `inserted_at` DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(DoubleDelta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(revision)
PARTITION BY toYYYYMM(window_start)
ORDER BY (model, version, segment, column, method, window_start, window_end, reference)
TTL toDateTime(inserted_at) + toIntervalDay(400)
COMMENT 'One method\'s verdict on one column of one segment in one window.';

CREATE OR REPLACE VIEW drift_scores_latest AS
SELECT * EXCEPT (inserted_at) FROM drift_scores FINAL;

CREATE TABLE IF NOT EXISTS late_dropped
(
    `model` LowCardinality(String) COMMENT 'the model\'s name',
    `version` LowCardinality(String) COMMENT 'the model\'s version, as its events say',
    `pane_start` DateTime64(3, 'UTC') COMMENT 'first instant of their pane' CODEC(DoubleDelta, ZSTD(1)),
    `source_topic` LowCardinality(String) COMMENT 'where the message stands: its topic',
    `source_partition` Int32 COMMENT 'its partition',
    `source_offset` Int64 COMMENT 'its offset' CODEC(DoubleDelta, ZSTD(1)),
    `n` UInt64 COMMENT 'not counted (events)' CODEC(T64, ZSTD(1)),
    `inserted_at` DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(DoubleDelta, ZSTD(1))
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(pane_start)
ORDER BY (model, version, pane_start, source_topic, source_partition, source_offset)
TTL toDateTime(inserted_at) + toIntervalDay(400)
COMMENT 'Events that came after the retention of their pane, by the message of `drift.sketches` that brought them.';

CREATE OR REPLACE VIEW late_dropped_latest AS
SELECT * EXCEPT (inserted_at) FROM late_dropped FINAL;

CREATE TABLE IF NOT EXISTS references
(
    `model` LowCardinality(String) COMMENT 'the model\'s name',
    `reference` LowCardinality(String) COMMENT 'digest of the reference',
    `version` LowCardinality(String) COMMENT 'a label; the digest does not depend on it',
    `segment` LowCardinality(String) COMMENT '`dimension=value`; empty: the whole',
    `column` LowCardinality(String) COMMENT 'a feature, or `@score` or `@label` of the prediction',
    `kind` LowCardinality(String) COMMENT '`numeric` or `categorical`',
    `n` UInt64 COMMENT 'valid ones (values)' CODEC(T64, ZSTD(1)),
    `nulls` UInt64 COMMENT 'null ones (values)' CODEC(T64, ZSTD(1)),
    `edges` Array(Float64) COMMENT 'the cells\' edges, one fewer than cells; categorical: empty' CODEC(ZSTD(1)),
    `categories` Array(String) COMMENT 'the cells\' categories, then come `other` and `unseen`; numeric: empty' CODEC(ZSTD(3)),
    `counts` Array(UInt64) COMMENT 'a count a cell, nulls apart (values)' CODEC(T64, ZSTD(1)),
    `decile` Array(UInt16) COMMENT 'the coarse cell of each cell, from 0, the same in every segment; categorical: each its own' CODEC(T64, ZSTD(1)),
    `inserted_at` DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(DoubleDelta, ZSTD(1))
)
ENGINE = ReplacingMergeTree
ORDER BY (model, reference, version, segment, column)
COMMENT 'One column of one segment of a reference: what SQL needs to compare the counts of profiles with it. Kept for good: old scores and counts mean nothing without the reference they belong to.';

CREATE OR REPLACE VIEW references_latest AS
SELECT * EXCEPT (inserted_at) FROM references FINAL;

CREATE TABLE IF NOT EXISTS rejects
(
    `source_topic` LowCardinality(String) COMMENT 'where the event\'s message stands: its topic',
    `source_partition` Int32 COMMENT 'its partition',
    `source_offset` Int64 COMMENT 'its offset' CODEC(DoubleDelta, ZSTD(1)),
    `event_index` UInt32 COMMENT 'which event of its message, from 0' CODEC(T64, ZSTD(1)),
    `model` LowCardinality(String) COMMENT 'empty: the event does not say',
    `reason` LowCardinality(String) COMMENT 'undecodable, schema, unknown_model, bad_timestamp, missing_id or oversize',
    `detail` String COMMENT 'one line for people' CODEC(ZSTD(1)),
    `time` DateTime64(3, 'UTC') COMMENT 'when the message was sent, by Kafka; brought into ClickHouse\'s range' CODEC(DoubleDelta, ZSTD(1)),
    `raw` String COMMENT 'the bytes of the event' CODEC(ZSTD(3)),
    `inserted_at` DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(DoubleDelta, ZSTD(1))
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(time)
ORDER BY (source_topic, source_partition, source_offset, event_index)
TTL toDateTime(inserted_at) + toIntervalDay(400)
COMMENT 'One event that could not be used, its bytes whole.';

CREATE OR REPLACE VIEW rejects_latest AS
SELECT * EXCEPT (inserted_at) FROM rejects FINAL;
