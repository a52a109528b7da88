-- The examples that a model may learn from: labelled customers at the training snapshots. Features are joined by key.
-- Where there are more than $maximum_rows, customers take part in the order of the hashes of their ids, each with all
-- snapshots: the same ones at every refresh, whatever the order of the rows.
WITH examples AS (
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
),

customers AS (
    SELECT
        user_id,
        COUNT(*) AS examples
    FROM examples
    GROUP BY user_id
),

taking_part AS (
    SELECT user_id
    FROM customers
    QUALIFY SUM(examples) OVER (ORDER BY MD5(user_id) ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) <= $maximum_rows
)

SELECT
    examples.snapshot_date,
    examples.user_id,
    examples.churned,
    examples.window_end,
    examples.definition_version
FROM examples
SEMI JOIN taking_part ON taking_part.user_id = examples.user_id
