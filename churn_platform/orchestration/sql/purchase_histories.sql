-- When every customer who ever bought did so, and for how much, as known at $snapshot_date; purchases of one day are one.
-- grain: one customer
WITH bought AS (
    SELECT
        user_id,
        event_date,
        SUM(spend) AS spend
    FROM user_days
    WHERE purchases > 0 AND event_date < $snapshot_date AND known_date <= $snapshot_date
    GROUP BY user_id, event_date
)

SELECT
    user_id,
    COUNT(*) AS purchase_days,
    date_diff('day', MIN(event_date), CAST($snapshot_date AS DATE)) AS age_days,
    date_diff('day', MAX(event_date), CAST($snapshot_date AS DATE)) AS recency_days,
    CAST(SUM(bought.spend) AS DOUBLE) AS spend,
    MAX(user_features.orders_total) AS orders
FROM bought
INNER JOIN user_features USING (user_id)
WHERE snapshot_date = $snapshot_date
GROUP BY user_id
ORDER BY user_id
