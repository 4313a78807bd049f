-- Drift from counts. Functions belong to the whole server, not to a database, hence their prefix.

-- Cells of the reference's grid summed into its coarse cells (deciles, or atoms of their own). `decile` does not decrease
-- and has no gaps, so a coarse cell begins wherever it steps.
CREATE OR REPLACE FUNCTION driftline_coarse AS (counts, decile) ->
    arrayMap(part -> arraySum(part), arraySplit((count, step) -> step != 0, counts, arrayDifference(decile)));

-- The cells that PSI and JS compare: a numeric column's coarse cells; a categorical column's own cells and, last, nulls.
CREATE OR REPLACE FUNCTION driftline_cells AS (kind, counts, nulls, decile) ->
    if(kind = 'categorical', arrayPushBack(counts, nulls), driftline_coarse(counts, decile));

-- Proportions. The total goes in as an array so that it is summed once, not once a cell.
CREATE OR REPLACE FUNCTION driftline_shares AS counts ->
    arrayMap((count, total) -> count / total, counts, arrayWithConstant(length(counts), arraySum(counts)));

CREATE OR REPLACE FUNCTION driftline_psi_term AS (r, l) ->
    if(r = 0 AND l = 0, 0., (if(l = 0, 1e-4, l) - if(r = 0, 1e-4, r)) * log(if(l = 0, 1e-4, l) / if(r = 0, 1e-4, r)));

-- Population stability index: sum of (l - r) ln(l / r); a zero proportion counts as 1e-4, nothing is renormalised, a cell
-- that is empty on both sides adds nothing. NaN when a side is empty. Yurdakul & Naranjo 2020.
CREATE OR REPLACE FUNCTION driftline_psi AS (reference_counts, live_counts) ->
    if(arraySum(reference_counts) = 0 OR arraySum(live_counts) = 0, nan,
       arraySum((r, l) -> driftline_psi_term(r, l), driftline_shares(reference_counts), driftline_shares(live_counts)));

CREATE OR REPLACE FUNCTION driftline_js_term AS (r, l) ->
    if(r = 0, 0., r * log2(2 * r / (r + l))) + if(l = 0, 0., l * log2(2 * l / (r + l)));

-- Jensen-Shannon distance: the square root of the divergence, base 2, no floor; from 0 to 1. NaN when a side is empty.
-- Lin 1991.
CREATE OR REPLACE FUNCTION driftline_js AS (reference_counts, live_counts) ->
    if(arraySum(reference_counts) = 0 OR arraySum(live_counts) = 0, nan,
       sqrt(greatest(0., arraySum((r, l) -> driftline_js_term(r, l),
                                  driftline_shares(reference_counts), driftline_shares(live_counts)) / 2)));
