-- Every customer that ever had an event.
SELECT
    user_id,
    MIN(event_time) AS first_event_at,
    MIN(event_date) AS first_event_date,
    MAX(event_time) AS last_event_at,
    MAX(event_date) AS last_event_date,
    MIN(known_date) AS known_since,
    MIN(CASE WHEN event_type = 'signup' THEN event_date END) AS signup_date,
    MIN(CASE WHEN event_type = 'purchase' THEN event_date END) AS first_order_date,
    COUNT(*) AS events
FROM stg_events
GROUP BY user_id
