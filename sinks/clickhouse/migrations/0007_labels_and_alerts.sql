-- Drafted from `sinks.records`.

CREATE TABLE IF NOT EXISTS alerts
(
    `model` LowCardinality(String) COMMENT 'the model\'s name',
    `dedupe_key` String COMMENT 'the same for all transitions of one alert' CODEC(ZSTD(1)),
    `sequence` UInt64 COMMENT 'counts the alert\'s transitions, from 1' CODEC(T64, ZSTD(1)),
    `version` LowCardinality(String) COMMENT 'the model\'s version that moved most',
    `reference` LowCardinality(String) COMMENT 'digest of the reference compared with',
    `state` LowCardinality(String) COMMENT '`raised`, `updated` or `resolved`',
    `cause` LowCardinality(String) COMMENT '`schema`, `data_quality`, `data_drift`, `prediction_drift`, `subgroup`, `performance`, `concept_drift`, `label_delay`, `silence` or `rejects`',
    `severity` LowCardinality(String) COMMENT '`warning` or `critical`',
    `at` DateTime64(3, 'UTC') COMMENT 'end of the window that decided' CODEC(DoubleDelta, ZSTD(1)),
    `onset` DateTime64(3, 'UTC') COMMENT 'where the change is placed' CODEC(DoubleDelta, ZSTD(1)),
    `columns` Array(Tuple(column String, segment String, direction String, quantity String, before Float64, after Float64, effect Float64, threshold Float64, method String, since_ms Int64, follows Bool)) COMMENT 'what moved, the largest effect times importance first; `follows`: because others did' CODEC(ZSTD(3)),
    `summary` String COMMENT 'the sentence for people' CODEC(ZSTD(1)),
    `recommendation` String COMMENT 'what to do' CODEC(ZSTD(1)),
    `evidence` String COMMENT 'what it rests on, as JSON; see `docs/schemas`' CODEC(ZSTD(1)),
    `acknowledged_by` LowCardinality(String) COMMENT 'who has it in hand; empty: nobody',
    `inserted_at` DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(DoubleDelta, ZSTD(1))
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(at)
ORDER BY (model, dedupe_key, sequence)
TTL toDateTime(inserted_at) + toIntervalDay(400)
COMMENT 'One transition of an alert: raised, updated or resolved, with the evidence that made it.';

CREATE OR REPLACE VIEW alerts_latest AS
SELECT * EXCEPT (inserted_at) FROM alerts FINAL;

CREATE TABLE IF NOT EXISTS deliveries
(
    `destination` LowCardinality(String) COMMENT 'its name in the configuration',
    `event_id` String COMMENT 'the CloudEvent\'s id' CODEC(ZSTD(1)),
    `attempt` UInt64 COMMENT 'from 1' CODEC(T64, ZSTD(1)),
    `at` DateTime64(3, 'UTC') COMMENT 'when it was sent, by the wall clock' CODEC(DoubleDelta, ZSTD(1)),
    `model` LowCardinality(String) COMMENT 'the model\'s name',
    `kind` LowCardinality(String) COMMENT '`alert` or `retraining`',
    `dedupe_key` String COMMENT 'of the alert or the request' CODEC(ZSTD(1)),
    `outcome` LowCardinality(String) COMMENT '`accepted`, `known` (the destination had it already), `retried`, `refused` or `given_up`',
    `status` UInt64 COMMENT 'of HTTP; 0: there was no answer' CODEC(T64, ZSTD(1)),
    `detail` String COMMENT 'one line for people, without secrets' CODEC(ZSTD(1)),
    `took_ms` UInt64 COMMENT 'until the answer (ms)' CODEC(T64, ZSTD(1)),
    `inserted_at` DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(DoubleDelta, ZSTD(1))
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(at)
ORDER BY (destination, event_id, attempt, at)
TTL toDateTime(inserted_at) + toIntervalDay(400)
COMMENT 'One attempt to deliver an alert, or a request to retrain, to one destination.';

CREATE OR REPLACE VIEW deliveries_latest AS
SELECT * EXCEPT (inserted_at) FROM deliveries FINAL;

ALTER TABLE drift_verdicts COMMENT COLUMN IF EXISTS `column` 'a feature, `@score` or `@label` of the prediction, `@coverage`, or `@joint` of all features; from labels: `@loss`, `@relation` of inputs to labels, `@subgroup` (the worst part of any column), `@delay` of labels, `@labels_missing`, `@labels_selective`';

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

CREATE TABLE IF NOT EXISTS label_outcomes
(
    `model` LowCardinality(String) COMMENT 'the model\'s name',
    `outcome` LowCardinality(String) COMMENT '`matched` now; `repeated`, `corrected`, `superseded` labels; `duplicate_prediction`; labels that came before their prediction (`label_before_prediction`), later than its horizon (`label_overdue`), or when it had passed (`too_late`); `expired`: predictions that no label came for; `orphan`: labels of no prediction; `unknown_model`. Of features computed again: `features_compared` pairs now; `duplicate_features`; pairs further apart than the horizon (`features_overdue`), or when it had passed (`features_too_late`); `features_not_recomputed`; `features_orphan`: of no prediction',
    `join_partition` Int32 COMMENT 'of `drift.joins`',
    `n` UInt64 COMMENT 'since the beginning (predictions or labels)' CODEC(T64, ZSTD(1)),
    `revision` UInt64 COMMENT 'the offset in that partition up to which is counted, and one' CODEC(T64, ZSTD(1)),
    `inserted_at` DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(DoubleDelta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(revision)
ORDER BY (model, outcome, join_partition)
COMMENT 'What became of the predictions and labels of a model since its labels are joined, one row a partition of `drift.joins`: the last revision counts, and partitions add up.';

CREATE OR REPLACE VIEW label_outcomes_latest AS
SELECT * EXCEPT (inserted_at) FROM label_outcomes FINAL;

CREATE TABLE IF NOT EXISTS performance
(
    `model` LowCardinality(String) COMMENT 'the model\'s name',
    `version` LowCardinality(String) COMMENT 'the model\'s version, as its events say',
    `segment` LowCardinality(String) COMMENT '`dimension=value`; empty: the whole',
    `metric` LowCardinality(String) COMMENT '`roc_auc`, `pr_auc`, `log_loss`, `brier`, `ece`, `accuracy`, `precision`, `recall`, `f1`, `macro_f1`, `recall:<class>`, `mae`, `rmse`, `bias`, `r2`, `residual:<quantile>`; `value`: mean of the number that came with labels. Of the whole alone: `labels_due` by now, by the reference\'s delays; `labels_missing`, the share of them that is not there; `label_delay_psi` against the reference\'s; `label_delay_ms:<quantile>`; `labelled_unlike:@score`, or `:<dimension>`: Cramér\'s V of having a label with the score, the segment; `segments_measured`, `segments_not_measured` for want of matches; `subgroups_looked_at`, `subgroups_failing`, `subgroups_masked`: failing while the aggregate stands still',
    `estimated` Bool COMMENT 'without labels, from the scores alone',
    `window_start` DateTime64(3, 'UTC') COMMENT 'first instant of the window' CODEC(DoubleDelta, ZSTD(1)),
    `window_end` DateTime64(3, 'UTC') COMMENT 'end of the window, exclusive' CODEC(DoubleDelta, ZSTD(1)),
    `reference` LowCardinality(String) COMMENT 'digest of the reference in whose cells it was counted',
    `value` Float64 COMMENT 'NaN where it is undefined (the metric\'s own unit)' CODEC(ZSTD(1)),
    `ci_low` Float64 COMMENT 'of the 95 % interval; NaN if unknown (the metric\'s own unit)' CODEC(ZSTD(1)),
    `ci_high` Float64 COMMENT 'of the 95 % interval; NaN if unknown (the metric\'s own unit)' CODEC(ZSTD(1)),
    `reference_value` Float64 COMMENT 'the same of the reference\'s own segment; NaN without a labelled reference (the metric\'s own unit)' CODEC(ZSTD(1)),
    `spread_low` Float64 COMMENT '2.5 % quantile over windows of the whole reference; NaN if unknown, and for segments (the metric\'s own unit)' CODEC(ZSTD(1)),
    `spread_high` Float64 COMMENT '97.5 % quantile over windows of the whole reference; NaN if unknown, and for segments (the metric\'s own unit)' CODEC(ZSTD(1)),
    `estimate_error` Float64 COMMENT 'of an estimate: measured less estimated, once no longer provisional; else NaN (the metric\'s own unit)' CODEC(ZSTD(1)),
    `n` UInt64 COMMENT 'the figure rests on (predictions)' CODEC(T64, ZSTD(1)),
    `n_labelled` UInt64 COMMENT 'of the segment that have a label by now (predictions)' CODEC(T64, ZSTD(1)),
    `n_total` UInt64 COMMENT 'of the segment, with or without (predictions)' CODEC(T64, ZSTD(1)),
    `maturity` Float64 COMMENT 'n_labelled / n_total, in [0, 1]; NaN without predictions' CODEC(ZSTD(1)),
    `provisional` Bool COMMENT 'the whole\'s maturity is below `mature_at`, and the window\'s `label_horizon` is not over',
    `error_bound` Float64 COMMENT 'how far counting in cells may have moved the value (the metric\'s own unit)' CODEC(ZSTD(1)),
    `label` DateTime64(3, 'UTC') COMMENT 'how far the time of labels was complete' CODEC(DoubleDelta, ZSTD(1)),
    `revision` UInt64 COMMENT '1, and one more with each correction, new labels among them' CODEC(T64, ZSTD(1)),
    `inserted_at` DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(DoubleDelta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(revision)
PARTITION BY toYYYYMM(window_start)
ORDER BY (model, version, segment, metric, estimated, window_start, window_end, reference)
TTL toDateTime(inserted_at) + toIntervalDay(400)
COMMENT 'One figure of a model\'s performance in one segment and window of predictions: measured on the labels that have come, or estimated from the scores alone; both stay, side by side. Segments with fewer matches than `min_samples` are not measured: see the metric `segments_not_measured` of the whole.';

CREATE OR REPLACE VIEW performance_latest AS
SELECT * EXCEPT (inserted_at) FROM performance FINAL;

CREATE TABLE IF NOT EXISTS performance_parts
(
    `model` LowCardinality(String) COMMENT 'the model\'s name',
    `version` LowCardinality(String) COMMENT 'the model\'s version, as its events say',
    `segment` LowCardinality(String) COMMENT '`dimension=value`; empty: the whole',
    `part` LowCardinality(String) COMMENT '`inputs` and `relation`: what moved inputs and a changed relation explain, over the score\'s cells (they add up to the change). Of the whole alone: `label prior`: what other shares of the labels explain; `inputs by column`, `relation by column`: over the cells of one column or segment dimension; `subgroup`: one cell of a monitored column, failing ones first; `confusion`: a class that is taken for another',
    `rank` UInt64 COMMENT 'from 1: the one that matters most; ranks beyond the last have no column' CODEC(T64, ZSTD(1)),
    `window_start` DateTime64(3, 'UTC') COMMENT 'first instant of the window' CODEC(DoubleDelta, ZSTD(1)),
    `window_end` DateTime64(3, 'UTC') COMMENT 'end of the window, exclusive' CODEC(DoubleDelta, ZSTD(1)),
    `reference` LowCardinality(String) COMMENT 'digest of the reference compared with',
    `column` LowCardinality(String) COMMENT 'over whose cells: `@score`, `@scores` of several classes, `@truth`, `@segments dimension`, or a monitored column; of `confusion` the true class',
    `cell` LowCardinality(String) COMMENT 'of a subgroup: which values; of `confusion`: the class that was said',
    `contribution` Float64 COMMENT 'to the change in mean loss: log loss, the share of errors, or absolute error (the loss)' CODEC(ZSTD(1)),
    `ci_low` Float64 COMMENT 'of its 95 % interval; NaN for subgroups (the loss)' CODEC(ZSTD(1)),
    `ci_high` Float64 COMMENT 'of its 95 % interval; NaN for subgroups (the loss)' CODEC(ZSTD(1)),
    `p_value` Float64 COMMENT 'in [0, 1]: of no change; of `label prior`, of equal label shares' CODEC(ZSTD(1)),
    `q_value` Float64 COMMENT 'of a subgroup: corrected over all looked at; else the p-value' CODEC(ZSTD(1)),
    `failing` Bool COMMENT 'a subgroup whose loss went up beyond chance',
    `loss_before` Float64 COMMENT 'the mean in the reference (the loss)' CODEC(ZSTD(1)),
    `loss_now` Float64 COMMENT 'the mean in the window (the loss)' CODEC(ZSTD(1)),
    `share` Float64 COMMENT 'of the window\'s rows, the subgroup\'s; of `confusion`, of the true class\'s; else 1' CODEC(ZSTD(1)),
    `n_before` UInt64 COMMENT 'of the reference, with a loss (predictions)' CODEC(T64, ZSTD(1)),
    `n_now` UInt64 COMMENT 'of the window, with a loss (predictions)' CODEC(T64, ZSTD(1)),
    `provisional` Bool COMMENT 'as in `performance`',
    `revision` UInt64 COMMENT '1, and one more with each correction, new labels among them' CODEC(T64, ZSTD(1)),
    `inserted_at` DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(DoubleDelta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(revision)
PARTITION BY toYYYYMM(window_start)
ORDER BY (model, version, segment, part, rank, window_start, window_end, reference)
TTL toDateTime(inserted_at) + toIntervalDay(400)
COMMENT 'A part of the change in loss from the reference to one segment and window. Of each kind at most 20 are kept, those that matter most; `performance` says how many subgroups were looked at.';

CREATE OR REPLACE VIEW performance_parts_latest AS
SELECT * EXCEPT (inserted_at) FROM performance_parts FINAL;

CREATE TABLE IF NOT EXISTS retraining
(
    `model` LowCardinality(String) COMMENT 'the model\'s name',
    `dedupe_key` String COMMENT 'the same for a request and its outcome' CODEC(ZSTD(1)),
    `status` LowCardinality(String) COMMENT '`requested`, `held_back`, `succeeded`, `failed`, `cancelled` or `expired`',
    `at` DateTime64(3, 'UTC') COMMENT 'end of the window that decided' CODEC(DoubleDelta, ZSTD(1)),
    `version` LowCardinality(String) COMMENT 'the model\'s version to be replaced',
    `reason` String COMMENT 'a sentence for people' CODEC(ZSTD(1)),
    `causes` Array(String) COMMENT 'of the alerts that ask; empty: the version is old' CODEC(ZSTD(3)),
    `held_because` Array(String) COMMENT 'codes of what holds it back' CODEC(ZSTD(3)),
    `attempt` UInt64 COMMENT 'of the same alert, from 1' CODEC(T64, ZSTD(1)),
    `dry_run` Bool COMMENT 'nothing is to act on it',
    `training_start` DateTime64(3, 'UTC') COMMENT 'first instant to train on' CODEC(DoubleDelta, ZSTD(1)),
    `training_end` DateTime64(3, 'UTC') COMMENT 'end of what to train on, exclusive' CODEC(DoubleDelta, ZSTD(1)),
    `reference` LowCardinality(String) COMMENT 'digest of the reference compared with',
    `reference_version` LowCardinality(String) COMMENT 'the reference\'s label',
    `new_version` LowCardinality(String) COMMENT 'of the model that came of it; empty: none was reported',
    `evidence` String COMMENT 'what it rests on, as JSON; see `docs/schemas`' CODEC(ZSTD(1)),
    `inserted_at` DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(DoubleDelta, ZSTD(1))
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(at)
ORDER BY (model, dedupe_key, status, at)
TTL toDateTime(inserted_at) + toIntervalDay(400)
COMMENT 'One transition of a request to retrain a model: requested, held back and why, or what became of it.';

CREATE OR REPLACE VIEW retraining_latest AS
SELECT * EXCEPT (inserted_at) FROM retraining FINAL;

ALTER TABLE windows ADD COLUMN IF NOT EXISTS `partial` Bool DEFAULT false COMMENT 'scored on a part of its events: others are in panes that reach beyond it, cut before `windows` were changed' AFTER `reason`;

CREATE OR REPLACE VIEW windows_latest AS
SELECT * EXCEPT (inserted_at) FROM windows FINAL;
