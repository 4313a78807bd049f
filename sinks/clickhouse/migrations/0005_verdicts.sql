-- Verdicts apart from their evidence. Written by hand: `drift_scores` loses what only a verdict can say.
--
-- A column that joins the sorting key must be new in the same ALTER and have no default; it gets its default afterwards.
-- Rows from before have none on disk, so they read as `pinned`, which is what they were compared with.

ALTER TABLE drift_scores
    ADD COLUMN IF NOT EXISTS `compare` LowCardinality(String) COMMENT 'what the window was compared with: `pinned`, `trailing 28d`, `season hour_of_week`, `version 3`' AFTER `reference`,
    MODIFY ORDER BY (model, version, segment, column, method, window_start, window_end, reference, compare);

ALTER TABLE drift_scores MODIFY COLUMN IF EXISTS `compare` DEFAULT 'pinned';

ALTER TABLE drift_scores ADD COLUMN IF NOT EXISTS `effect` Float64 DEFAULT 0.0 COMMENT 'the statistic\'s size without what unchanged data of these sizes make of it, at least 0 (the method\'s own unit)' CODEC(ZSTD(1)) AFTER `statistic`;

ALTER TABLE drift_scores ADD COLUMN IF NOT EXISTS `calibration` LowCardinality(String) DEFAULT 'theory' COMMENT 'which of the two it is: `theory`, `panes`, or `extrapolated` from panes shorter than the window' AFTER `p_value`;

ALTER TABLE drift_scores DROP COLUMN IF EXISTS `q_value`;

ALTER TABLE drift_scores DROP COLUMN IF EXISTS `drifted`;

ALTER TABLE drift_scores DROP COLUMN IF EXISTS `insufficient`;

ALTER TABLE drift_scores COMMENT COLUMN IF EXISTS `statistic` 'how far the two sides are apart; of methods with a sign, positive where the window has more (the method\'s own unit)';

ALTER TABLE drift_scores COMMENT COLUMN IF EXISTS `p_value` 'in [0, 1]: the larger of theory\'s and of the reference\'s panes\'';

ALTER TABLE drift_scores MODIFY COMMENT 'One method\'s evidence on one column of one segment in one window. Columns that cannot be scored have no row, nor has a method of whose matter neither side holds anything; see `windows`.';

CREATE OR REPLACE VIEW drift_scores_latest AS
SELECT * EXCEPT (inserted_at) FROM drift_scores FINAL;

ALTER TABLE windows ADD COLUMN IF NOT EXISTS `columns_scored` UInt64 DEFAULT 0 COMMENT 'that have a verdict (columns)' CODEC(T64, ZSTD(1)) AFTER `both`;

ALTER TABLE windows ADD COLUMN IF NOT EXISTS `columns_not_scored` UInt64 DEFAULT 0 COMMENT 'that the reference could score, and this window cannot (columns)' CODEC(T64, ZSTD(1)) AFTER `columns_scored`;

ALTER TABLE windows ADD COLUMN IF NOT EXISTS `reason` LowCardinality(String) DEFAULT '' COMMENT 'why there are such: `few events` of the segment, `absent`: events that do not speak of them, or `nothing to compare with`' AFTER `columns_not_scored`;

CREATE OR REPLACE VIEW windows_latest AS
SELECT * EXCEPT (inserted_at) FROM windows FINAL;

ALTER TABLE references COMMENT COLUMN IF EXISTS `decile` 'the coarse cell of each cell, from 0, the same in every segment: deciles; categorical: the largest categories, and one tail of all others';

-- The cells that PSI and JS compare: the coarse cells and, of a categorical column, nulls last.
CREATE OR REPLACE FUNCTION driftline_cells AS (kind, counts, nulls, decile) ->
    if(kind = 'categorical', arrayPushBack(driftline_coarse(counts, decile), nulls), driftline_coarse(counts, decile));

-- As before, but for `decile`: a reference that was written by the release before is written again by this one, and the
-- newer row has the coarse cells of its categorical columns.
CREATE OR REPLACE VIEW drift_between AS
SELECT
    version, reference, column, kind, n_panes, n, nulls, invalid, n_reference,
    driftline_psi(reference_cells, live_cells) AS psi,
    driftline_js(reference_cells, live_cells) AS js
FROM
(
    -- A step of its own: functions are written out where they are used, and their arguments with them, each time.
    SELECT
        live.version AS version, live.reference AS reference, live.column AS column, live.kind AS kind,
        live.n_panes AS n_panes, live.n AS n, live.nulls AS nulls, live.invalid AS invalid, pinned.n AS n_reference,
        driftline_cells(live.kind, pinned.counts, pinned.nulls, pinned.decile) AS reference_cells,
        driftline_cells(live.kind, live.counts, live.nulls, pinned.decile) AS live_cells
    FROM
    (
        SELECT
            version, reference, column,
            any(kind) AS kind, count() AS n_panes, sum(p.n) AS n, sum(p.nulls) AS nulls, sum(p.invalid) AS invalid,
            sumForEach(p.counts) AS counts
        FROM column_profiles_latest AS p
        WHERE model = {model:String} AND segment = {segment:String}
            AND pane_start >= {from_time:DateTime64(3, 'UTC')} AND pane_end <= {to_time:DateTime64(3, 'UTC')}
        GROUP BY version, reference, column
    ) AS live
    INNER JOIN
    (
        -- A reference may be known under several version labels; its content is the same under each.
        SELECT
            reference, column, any(r.n) AS n, any(r.nulls) AS nulls, any(r.counts) AS counts,
            argMax(r.decile, r.inserted_at) AS decile
        FROM references AS r
        WHERE model = {model:String} AND segment = {segment:String}
        GROUP BY reference, column
    ) AS pinned ON live.reference = pinned.reference AND live.column = pinned.column
);
