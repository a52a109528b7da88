-- What a customer bought of an item on a day, as it arrived on the days $first_day to $last_day.
SELECT
    user_id,
    item_id,
    event_date,
    known_date,
    COUNT(*) AS purchases
FROM stg_events
WHERE event_type = 'purchase' AND item_id IS NOT NULL AND known_date BETWEEN $first_day AND $last_day
GROUP BY user_id, item_id, event_date, known_date
