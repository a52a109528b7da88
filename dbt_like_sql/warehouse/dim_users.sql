-- Every customer that ever had an event.
SELECT
    user_id,
    MIN(first_event_at) AS first_event_at,
    MIN(event_date) AS first_event_date,
    MAX(last_event_at) AS last_event_at,
    MAX(event_date) AS last_event_date,
    MIN(known_date) AS known_since,
    MIN(CASE WHEN signups > 0 THEN event_date END) AS signup_date,
    MIN(CASE WHEN purchases > 0 THEN event_date END) AS first_order_date,
    CAST(SUM(events) AS BIGINT) AS events
FROM user_days
GROUP BY user_id
