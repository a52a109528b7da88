-- The lifecycle stage of every customer as of each of $folds, by the rule of user_profiles.
SELECT
    snapshot_date AS fold,
    user_id,
    CASE
        WHEN orders_total = 0 THEN 'prospect'
        WHEN NOT is_eligible THEN 'lost'
        WHEN orders_total = 1 AND orders_30d = 1 THEN 'new'
        WHEN orders_total = 1 THEN 'one_time'
        WHEN recency_over_median_gap > 2 THEN 'slowing'
        ELSE 'active'
    END AS segment
FROM user_features
WHERE list_contains($folds, snapshot_date)
