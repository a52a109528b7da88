-- How long ago every customer last did each kind of thing, at the midnight that opens $snapshot_date; null means never.
SELECT
    CAST($snapshot_date AS DATE) AS snapshot_date,
    user_id,
    MIN(CASE WHEN purchases > 0 THEN date_diff('day', event_date, CAST($snapshot_date AS DATE)) END) AS purchase_recency_days,
    MIN(CASE WHEN views > 0 THEN date_diff('day', event_date, CAST($snapshot_date AS DATE)) END) AS view_recency_days,
    MIN(CASE WHEN searches > 0 THEN date_diff('day', event_date, CAST($snapshot_date AS DATE)) END) AS search_recency_days,
    MIN(CASE WHEN carts > 0 THEN date_diff('day', event_date, CAST($snapshot_date AS DATE)) END) AS cart_recency_days,
    MIN(CASE WHEN returns > 0 THEN date_diff('day', event_date, CAST($snapshot_date AS DATE)) END) AS return_recency_days,
    MIN(CASE WHEN support_contacts > 0 THEN date_diff('day', event_date, CAST($snapshot_date AS DATE)) END)
        AS support_recency_days
FROM user_days
WHERE event_date < $snapshot_date AND known_date <= $snapshot_date
GROUP BY user_id
