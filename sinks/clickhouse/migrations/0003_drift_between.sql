-- PSI and JS of every column over any time range and segment, from the panes that lie wholly in [from_time, to_time):
--
--   SELECT column, psi, js, n FROM drift_between(
--       model = 'flight-delay', segment = 'origin=EWR', from_time = '2013-02-01 00:00:00', to_time = '2013-03-08 00:00:00')
--   ORDER BY psi DESC
--
-- The segment '' is the whole. A column appears once a version and reference; one whose reference was never written to
-- `references` does not appear.

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
        SELECT reference, column, any(r.n) AS n, any(r.nulls) AS nulls, any(r.counts) AS counts, any(r.decile) AS decile
        FROM references AS r
        WHERE model = {model:String} AND segment = {segment:String}
        GROUP BY reference, column
    ) AS pinned ON live.reference = pinned.reference AND live.column = pinned.column
);
