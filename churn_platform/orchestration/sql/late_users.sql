-- Customers with rows that happened before $snapshot_date and arrived after it.
-- grain: one customer
SELECT
    user_id,
    CAST(sum(events) AS BIGINT) AS late_rows
FROM past.user_days
WHERE event_date < $snapshot_date AND known_date > $snapshot_date
GROUP BY user_id
