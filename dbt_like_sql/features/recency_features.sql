-- How long ago every customer last did each kind of thing, at the midnight that opens $snapshot_date; null means never.
WITH known AS (
    SELECT
        *,
        date_diff('day', event_date, CAST($snapshot_date AS DATE)) AS age
    FROM user_days
    WHERE event_date < $snapshot_date AND known_date <= $snapshot_date
)

SELECT
    CAST($snapshot_date AS DATE) AS snapshot_date,
    user_id,
    MIN(age) FILTER (WHERE purchases > 0) AS purchase_recency_days,
    MIN(age) FILTER (WHERE views > 0) AS view_recency_days,
    MIN(age) FILTER (WHERE searches > 0) AS search_recency_days,
    MIN(age) FILTER (WHERE carts > 0) AS cart_recency_days,
    MIN(age) FILTER (WHERE returns > 0) AS return_recency_days,
    MIN(age) FILTER (WHERE support_contacts > 0) AS support_recency_days
FROM known
GROUP BY user_id
