-- Orders by day and by the day on which their lines arrived, from $first_day to $last_day: an order over midnight, or whose
-- lines arrive on two days, has two rows, so that what follows is known to be later.
SELECT
    order_id,
    user_id,
    event_date AS order_date,
    known_date,
    MIN(event_time) AS ordered_at,
    MIN(event_hour) AS order_hour,
    COUNT(*) AS order_lines,
    COUNT(DISTINCT item_id) AS items,
    SUM(quantity) AS quantity,
    SUM(amount) AS amount,
    MAX(currency) AS currency,
    MAX(channel) AS channel
FROM stg_events
WHERE event_type = 'purchase' AND known_date BETWEEN $first_day AND $last_day
GROUP BY order_id, user_id, event_date, known_date
