-- What a customer bought of a category on a day, as it arrived on the days $first_day to $last_day.
SELECT
    user_id,
    category,
    event_date,
    known_date,
    COUNT(*) AS purchases,
    COALESCE(SUM(quantity), 0) AS quantity,
    COALESCE(SUM(amount), 0) AS amount
FROM stg_events
WHERE event_type = 'purchase' AND category IS NOT NULL AND known_date BETWEEN $first_day AND $last_day
GROUP BY user_id, category, event_date, known_date
