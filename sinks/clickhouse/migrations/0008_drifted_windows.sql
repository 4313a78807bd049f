-- What drifted of all rows of a model, sorted by time: the fleet's question, which `drift_verdicts`, sorted by model and
-- column, could only answer by reading whole months. ClickHouse fills it as verdicts come. Rows that did not drift are
-- here only where they correct one that may have.

CREATE TABLE IF NOT EXISTS drifted_windows
(
    `model` LowCardinality(String) COMMENT 'the model\'s name',
    `version` LowCardinality(String) COMMENT 'the model\'s version, as its events say',
    `column` LowCardinality(String) COMMENT 'as in drift_verdicts',
    `window_start` DateTime64(3, 'UTC') COMMENT 'first instant of the window' CODEC(DoubleDelta, ZSTD(1)),
    `window_end` DateTime64(3, 'UTC') COMMENT 'end of the window, exclusive' CODEC(DoubleDelta, ZSTD(1)),
    `reference` LowCardinality(String) COMMENT 'digest of the reference compared with',
    `compare` LowCardinality(String) COMMENT 'what the window was compared with',
    `drifted` Bool COMMENT 'false: a correction of one that may have',
    `strength` Float64 COMMENT 'the effect over its threshold' CODEC(ZSTD(1)),
    `revision` UInt64 COMMENT '1, and one more with each correction' CODEC(T64, ZSTD(1)),
    `inserted_at` DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(DoubleDelta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(revision)
PARTITION BY toYYYYMM(window_end)
ORDER BY (window_end, model, version, column, compare, window_start, reference)
TTL toDateTime(inserted_at) + toIntervalDay(400)
COMMENT 'The verdicts on all rows of a model that drifted, or correct one that did, by time.';

CREATE MATERIALIZED VIEW IF NOT EXISTS drifted_windows_of_verdicts TO drifted_windows AS
SELECT model, version, column, window_start, window_end, reference, compare, drifted, effect / threshold AS strength,
    revision
FROM drift_verdicts
WHERE segment = '' AND (drifted OR revision > 1) AND NOT startsWith(compare, 'sequential');

INSERT INTO drifted_windows (model, version, column, window_start, window_end, reference, compare, drifted, strength, revision)
SELECT model, version, column, window_start, window_end, reference, compare, drifted, effect / threshold, revision
FROM drift_verdicts
WHERE segment = '' AND (drifted OR revision > 1) AND NOT startsWith(compare, 'sequential');

-- Which columns were compared with their season, or with the weeks before, too: what of these drifted beside the pinned
-- reference alone is only the season.

CREATE TABLE IF NOT EXISTS season_windows
(
    `model` LowCardinality(String) COMMENT 'the model\'s name',
    `version` LowCardinality(String) COMMENT 'the model\'s version, as its events say',
    `window_start` DateTime64(3, 'UTC') COMMENT 'first instant of the window' CODEC(DoubleDelta, ZSTD(1)),
    `window_end` DateTime64(3, 'UTC') COMMENT 'end of the window, exclusive' CODEC(DoubleDelta, ZSTD(1)),
    `compare` LowCardinality(String) COMMENT 'the season, or the trailing span, that the window was compared with',
    `columns` SimpleAggregateFunction(groupUniqArrayArray, Array(String)) COMMENT 'columns that were compared so',
    `inserted_at` SimpleAggregateFunction(max, DateTime64(3, 'UTC')) DEFAULT now64(3) CODEC(DoubleDelta, ZSTD(1))
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(window_end)
ORDER BY (window_end, model, version, window_start, compare)
TTL toDateTime(inserted_at) + toIntervalDay(400)
COMMENT 'The columns of all rows of a model that were compared with their season or the weeks before, by window.';

CREATE MATERIALIZED VIEW IF NOT EXISTS season_windows_of_verdicts TO season_windows AS
SELECT model, version, window_start, window_end, compare, groupUniqArray(toString(column)) AS columns
FROM drift_verdicts
WHERE segment = '' AND (startsWith(compare, 'season') OR startsWith(compare, 'trailing'))
GROUP BY model, version, window_start, window_end, compare;

INSERT INTO season_windows (model, version, window_start, window_end, compare, columns)
SELECT model, version, window_start, window_end, compare, groupUniqArray(toString(column)) AS columns
FROM drift_verdicts
WHERE segment = '' AND (startsWith(compare, 'season') OR startsWith(compare, 'trailing'))
GROUP BY model, version, window_start, window_end, compare;
