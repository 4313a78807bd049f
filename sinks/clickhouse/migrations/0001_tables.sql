-- The tables. Their sorting key is the rows' key: a repeated row replaces itself, a higher revision replaces a lower one.
-- Rows expire by the time they were written, not by the time they speak of: a replay of old events stays readable.

CREATE TABLE IF NOT EXISTS drift_scores
(
    `model` LowCardinality(String),
    `version` LowCardinality(String),
    `reference` LowCardinality(String) COMMENT 'digest of the reference compared with',
    `segment` LowCardinality(String) COMMENT 'empty: the whole',
    `column` LowCardinality(String),
    `method` LowCardinality(String),
    `window_start` DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    `window_end` DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)) COMMENT 'exclusive',
    `statistic` Float64 CODEC(ZSTD(1)),
    `p_value` Float64 CODEC(ZSTD(1)),
    `q_value` Float64 CODEC(ZSTD(1)) COMMENT 'corrected over the columns of the window',
    `threshold` Float64 CODEC(ZSTD(1)),
    `drifted` Bool,
    `insufficient` Bool COMMENT 'too few rows for a verdict',
    `n_reference` UInt64 CODEC(T64, ZSTD(1)),
    `n_current` UInt64 CODEC(T64, ZSTD(1)),
    `error_bound` Float64 CODEC(ZSTD(1)),
    `revision` UInt64 CODEC(T64, ZSTD(1)),
    `inserted_at` DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(DoubleDelta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(revision)
PARTITION BY toYYYYMM(window_start)
ORDER BY (model, version, segment, column, method, window_start, window_end, reference)
TTL toDateTime(inserted_at) + toIntervalDay(400);

CREATE TABLE IF NOT EXISTS column_profiles
(
    `model` LowCardinality(String),
    `version` LowCardinality(String),
    `reference` LowCardinality(String) COMMENT 'digest of the reference that fixed the cells',
    `segment` LowCardinality(String) COMMENT 'empty: the whole',
    `column` LowCardinality(String),
    `kind` LowCardinality(String) COMMENT 'numeric or categorical',
    `pane_start` DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    `pane_end` DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)) COMMENT 'exclusive',
    `n` UInt64 CODEC(T64, ZSTD(1)) COMMENT 'valid values',
    `nulls` UInt64 CODEC(T64, ZSTD(1)),
    `invalid` UInt64 CODEC(T64, ZSTD(1)),
    `minimum` Float64 CODEC(ZSTD(1)),
    `maximum` Float64 CODEC(ZSTD(1)),
    `mean` Float64 CODEC(ZSTD(1)),
    `std` Float64 CODEC(ZSTD(1)),
    `quantiles` Array(Float64) CODEC(ZSTD(1)) COMMENT 'at 0.05, 0.25, 0.5, 0.75, 0.95',
    `counts` Array(UInt64) CODEC(T64, ZSTD(1)) COMMENT 'a count a cell; sumForEach(counts) merges panes',
    `frequent_unseen` Array(Tuple(value String, count UInt64, error UInt64)) CODEC(ZSTD(3)),
    `revision` UInt64 CODEC(T64, ZSTD(1)),
    `inserted_at` DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(DoubleDelta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(revision)
PARTITION BY toYYYYMM(pane_start)
ORDER BY (model, version, segment, column, pane_start, pane_end, reference)
TTL toDateTime(inserted_at) + toIntervalDay(400);

CREATE TABLE IF NOT EXISTS late_dropped
(
    `model` LowCardinality(String),
    `version` LowCardinality(String),
    `pane_start` DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    `n` UInt64 CODEC(T64, ZSTD(1)),
    `source_topic` LowCardinality(String),
    `source_partition` Int32,
    `source_offset` Int64 CODEC(DoubleDelta, ZSTD(1)),
    `inserted_at` DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(DoubleDelta, ZSTD(1))
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(pane_start)
ORDER BY (model, version, pane_start, source_topic, source_partition, source_offset)
TTL toDateTime(inserted_at) + toIntervalDay(400);

-- `time` is that of the message, so a function of the key: equal keys lie in equal partitions.
CREATE TABLE IF NOT EXISTS rejects
(
    `model` LowCardinality(String) COMMENT 'empty: the event does not say',
    `reason` LowCardinality(String),
    `source_topic` LowCardinality(String),
    `source_partition` Int32,
    `source_offset` Int64 CODEC(DoubleDelta, ZSTD(1)),
    `event_index` UInt32 CODEC(T64, ZSTD(1)) COMMENT 'which event of its message, from 0',
    `detail` String CODEC(ZSTD(1)),
    `time` DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)) COMMENT 'of the message in Kafka: when it was sent',
    `raw` String CODEC(ZSTD(3)) COMMENT 'the bytes of the event',
    `inserted_at` DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(DoubleDelta, ZSTD(1))
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(time)
ORDER BY (source_topic, source_partition, source_offset, event_index)
TTL toDateTime(inserted_at) + toIntervalDay(400);

-- Kept for good: old scores and counts mean nothing without the reference they belong to.
CREATE TABLE IF NOT EXISTS references
(
    `reference` LowCardinality(String) COMMENT 'digest',
    `model` LowCardinality(String),
    `version` LowCardinality(String) COMMENT 'a label; the digest does not depend on it',
    `segment` LowCardinality(String),
    `column` LowCardinality(String),
    `kind` LowCardinality(String),
    `n` UInt64,
    `nulls` UInt64,
    `edges` Array(Float64) CODEC(ZSTD(1)),
    `categories` Array(String) CODEC(ZSTD(3)),
    `counts` Array(UInt64) CODEC(T64, ZSTD(1)),
    `decile` Array(UInt16) CODEC(T64, ZSTD(1)) COMMENT 'the coarse cell of each cell',
    `inserted_at` DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree
ORDER BY (model, reference, version, segment, column);
