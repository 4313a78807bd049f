-- Drafted from `sinks.records`.

CREATE TABLE IF NOT EXISTS windows
(
    `model` LowCardinality(String) COMMENT 'the model\'s name',
    `version` LowCardinality(String) COMMENT 'the model\'s version, as its events say',
    `segment` LowCardinality(String) COMMENT '`dimension=value`; empty: the whole',
    `window_start` DateTime64(3, 'UTC') COMMENT 'first instant of the window' CODEC(DoubleDelta, ZSTD(1)),
    `window_end` DateTime64(3, 'UTC') COMMENT 'end of the window, exclusive' CODEC(DoubleDelta, ZSTD(1)),
    `reference` LowCardinality(String) COMMENT 'digest of the reference compared with',
    `events` UInt64 COMMENT 'all of them (events)' CODEC(T64, ZSTD(1)),
    `with_features` UInt64 COMMENT 'that speak of their features (events)' CODEC(T64, ZSTD(1)),
    `with_prediction` UInt64 COMMENT 'that speak of their prediction (events)' CODEC(T64, ZSTD(1)),
    `both` UInt64 COMMENT 'that speak of both (events)' CODEC(T64, ZSTD(1)),
    `revision` UInt64 COMMENT '1, and one more with each correction' CODEC(T64, ZSTD(1)),
    `inserted_at` DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(DoubleDelta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(revision)
PARTITION BY toYYYYMM(window_start)
ORDER BY (model, version, segment, window_start, window_end, reference)
TTL toDateTime(inserted_at) + toIntervalDay(400)
COMMENT 'The events of one segment in one window, and what they spoke of. `both` over `with_prediction` is the share of predictions that came with features in the same event; as events of their own they balance: see the method `coverage`.';

CREATE OR REPLACE VIEW windows_latest AS
SELECT * EXCEPT (inserted_at) FROM windows FINAL;
