-- The newest $snapshots scored snapshots, and what scored them.
-- grain: one snapshot
SELECT
    snapshot_date,
    any_value(scored_by) AS scored_by,
    any_value(model_version) AS model_version,
    any_value(definition_version) AS definition_version
FROM past.churn_scores
GROUP BY snapshot_date
ORDER BY snapshot_date DESC
LIMIT $snapshots
