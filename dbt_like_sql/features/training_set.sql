-- The examples that a model may learn from: labelled customers at the training snapshots. Features are joined by key.
SELECT
    churn_labels.snapshot_date,
    churn_labels.user_id,
    churn_labels.churned,
    churn_labels.window_end,
    churn_labels.definition_version
FROM churn_labels
INNER JOIN user_features
    ON user_features.snapshot_date = churn_labels.snapshot_date AND user_features.user_id = churn_labels.user_id
WHERE list_contains($training_snapshots, churn_labels.snapshot_date) AND user_features.is_eligible
