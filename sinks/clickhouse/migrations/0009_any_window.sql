-- Any window, segment and pair of versions, from panes: KS and quantiles beside PSI and JS, and live against live.
-- docs/sql.md has examples. Every view takes panes that lie wholly in its range, [from_time, to_time).

-- Kolmogorov-Smirnov: the largest distance between the two distribution functions, at the edges of the grid, from 0 to
-- 1. Of all cells, not of coarse ones; of numeric columns, whose cells have an order. NaN when a side is empty.
CREATE OR REPLACE FUNCTION driftline_ks AS (reference_counts, live_counts) ->
    if(arraySum(reference_counts) = 0 OR arraySum(live_counts) = 0, nan,
       arrayMax((r, l) -> abs(r - l),
                arrayCumSum(driftline_shares(reference_counts)), arrayCumSum(driftline_shares(live_counts))));

-- The value below which a share `level`, in (0, 1], of the counted values lies: cumulative counts, drawn as straight lines
-- inside the cells. `bounds` are the edges between the minimum and the maximum, one more than cells. NaN without values.
CREATE OR REPLACE FUNCTION driftline_quantile_in AS (rank, cell, before, counts, bounds) ->
    bounds[cell] + (bounds[cell + 1] - bounds[cell]) * greatest(0., least(1., (rank - before) / counts[cell]));

CREATE OR REPLACE FUNCTION driftline_bounds AS (edges, minimum, maximum) ->
    arrayMap(edge -> greatest(minimum, least(maximum, edge)),
             arrayConcat([toFloat64(minimum)], edges, [toFloat64(maximum)]));

CREATE OR REPLACE FUNCTION driftline_quantile AS (level, counts, edges, minimum, maximum) ->
    if(arraySum(counts) = 0, nan, arrayMap(
        (cumulative, bounds, total) -> arrayMap(
            cell -> driftline_quantile_in(level * total, cell, cumulative[cell] - counts[cell], counts, bounds),
            [toUInt64(arrayFirstIndex(c -> c >= level * total, cumulative))])[1],
        [arrayCumSum(counts)], [driftline_bounds(edges, minimum, maximum)], [arraySum(counts)])[1]);

-- Panes added up. `segment` and `column` may be '*': all of them ('' is the segment of all rows).
CREATE OR REPLACE VIEW counts_between AS
SELECT
    p.version AS version, p.reference AS reference, p.segment AS segment, p.column AS column, any(p.kind) AS kind,
    count() AS n_panes, sum(p.n) AS n, sum(p.nulls) AS nulls, sum(p.invalid) AS invalid,
    if(countIf(isFinite(p.minimum)) = 0, nan, minIf(p.minimum, isFinite(p.minimum))) AS minimum,
    if(countIf(isFinite(p.maximum)) = 0, nan, maxIf(p.maximum, isFinite(p.maximum))) AS maximum,
    sumIf(p.mean * p.n, p.n > 0) / sum(p.n) AS mean, sumForEach(p.counts) AS counts
FROM column_profiles_latest AS p
WHERE p.model = {model:String} AND ({segment:String} = '*' OR p.segment = {segment:String})
    AND ({column:String} = '*' OR p.column = {column:String})
    AND p.pane_start >= {from_time:DateTime64(3, 'UTC')} AND p.pane_end <= {to_time:DateTime64(3, 'UTC')}
GROUP BY p.version, p.reference, p.segment, p.column;

-- A reference may be known under several version labels; its content is the same under each. One that the release before
-- wrote is written again by this one, and the newer row has the coarse cells of its categorical columns.
CREATE OR REPLACE VIEW cells_of_references AS
SELECT
    r.reference AS reference, r.segment AS segment, r.column AS column, any(r.n) AS n, any(r.nulls) AS nulls,
    any(r.counts) AS counts, any(r.edges) AS edges, any(r.categories) AS categories,
    argMax(r.decile, r.inserted_at) AS decile
FROM references AS r
WHERE r.model = {model:String} AND ({segment:String} = '*' OR r.segment = {segment:String})
    AND ({column:String} = '*' OR r.column = {column:String})
GROUP BY r.reference, r.segment, r.column;

-- Reference against live. As before, and KS; `segment` may be '*'.
CREATE OR REPLACE VIEW drift_between AS
SELECT
    version, reference, column, kind, n_panes, n, nulls, invalid, n_reference,
    driftline_psi(reference_cells, live_cells) AS psi,
    driftline_js(reference_cells, live_cells) AS js,
    if(kind = 'numeric', driftline_ks(reference_counts, live_counts), nan) AS ks,
    segment
FROM
(
    -- A step of its own: functions are written out where they are used, and their arguments with them, each time.
    SELECT
        live.version AS version, live.reference AS reference, live.segment AS segment, live.column AS column,
        live.kind AS kind, live.n_panes AS n_panes, live.n AS n, live.nulls AS nulls, live.invalid AS invalid,
        pinned.n AS n_reference, pinned.counts AS reference_counts, live.counts AS live_counts,
        driftline_cells(live.kind, pinned.counts, pinned.nulls, pinned.decile) AS reference_cells,
        driftline_cells(live.kind, live.counts, live.nulls, pinned.decile) AS live_cells
    FROM counts_between(
        model = {model:String}, segment = {segment:String}, column = '*',
        from_time = {from_time:DateTime64(3, 'UTC')}, to_time = {to_time:DateTime64(3, 'UTC')}) AS live
    INNER JOIN cells_of_references(model = {model:String}, segment = {segment:String}, column = '*') AS pinned
        ON live.reference = pinned.reference AND live.segment = pinned.segment AND live.column = pinned.column
);

-- Live against live: week against week, version against version, or both, where both were counted in one reference's
-- cells. The first side takes the reference's place.
CREATE OR REPLACE VIEW drift_between_spans AS
SELECT
    reference, column, kind, n_before, n_after, nulls_before, nulls_after, mean_before, mean_after,
    driftline_psi(cells_before, cells_after) AS psi,
    driftline_js(cells_before, cells_after) AS js,
    if(kind = 'numeric', driftline_ks(counts_before, counts_after), nan) AS ks
FROM
(
    SELECT
        a.reference AS reference, a.column AS column, a.kind AS kind, a.n AS n_before, b.n AS n_after,
        a.nulls AS nulls_before, b.nulls AS nulls_after, a.mean AS mean_before, b.mean AS mean_after,
        a.counts AS counts_before, b.counts AS counts_after,
        driftline_cells(a.kind, a.counts, a.nulls, pinned.decile) AS cells_before,
        driftline_cells(b.kind, b.counts, b.nulls, pinned.decile) AS cells_after
    FROM
    (
        SELECT * FROM counts_between(
            model = {model:String}, segment = {segment:String}, column = '*',
            from_time = {before_from:DateTime64(3, 'UTC')}, to_time = {before_to:DateTime64(3, 'UTC')})
        WHERE version = {before_version:String}
    ) AS a
    INNER JOIN
    (
        SELECT * FROM counts_between(
            model = {model:String}, segment = {segment:String}, column = '*',
            from_time = {after_from:DateTime64(3, 'UTC')}, to_time = {after_to:DateTime64(3, 'UTC')})
        WHERE version = {after_version:String}
    ) AS b ON a.reference = b.reference AND a.segment = b.segment AND a.column = b.column
    INNER JOIN cells_of_references(model = {model:String}, segment = {segment:String}, column = '*') AS pinned
        ON a.reference = pinned.reference AND a.segment = pinned.segment AND a.column = pinned.column
);

-- The quantiles of profiles, at 0.05, 0.25, 0.5, 0.75 and 0.95, of any range; numeric columns.
CREATE OR REPLACE VIEW quantiles_between AS
SELECT
    live.version AS version, live.reference AS reference, live.segment AS segment, live.column AS column, live.n AS n,
    live.minimum AS minimum, live.maximum AS maximum, live.mean AS mean,
    arrayMap(level -> driftline_quantile(level, live.counts, pinned.edges, live.minimum, live.maximum),
             [0.05, 0.25, 0.5, 0.75, 0.95]) AS quantiles
FROM counts_between(
    model = {model:String}, segment = {segment:String}, column = {column:String},
    from_time = {from_time:DateTime64(3, 'UTC')}, to_time = {to_time:DateTime64(3, 'UTC')}) AS live
INNER JOIN cells_of_references(model = {model:String}, segment = {segment:String}, column = {column:String}) AS pinned
    ON live.reference = pinned.reference AND live.segment = pinned.segment AND live.column = pinned.column
WHERE live.kind = 'numeric' AND live.n > 0;
