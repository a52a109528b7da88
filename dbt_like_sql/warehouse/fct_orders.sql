-- Orders by the day on which their lines arrived: an order whose lines arrive on two days has two rows.
SELECT
    order_id,
    user_id,
    known_date,
    MIN(event_time) AS ordered_at,
    MIN(event_date) AS order_date,
    MIN(event_hour) AS order_hour,
    COUNT(*) AS order_lines,
    COUNT(DISTINCT item_id) AS items,
    SUM(quantity) AS quantity,
    SUM(amount) AS amount,
    MAX(currency) AS currency,
    MAX(channel) AS channel
FROM stg_events
WHERE event_type = 'purchase'
GROUP BY order_id, user_id, known_date
