-- What the events of the arrival days $first_day to $last_day say of every item.
SELECT
    item_id,
    known_date,
    ARG_MAX(category, (event_time, event_id)) AS category,
    MAX(CASE WHEN category IS NOT NULL THEN event_time END) AS category_at,
    MAX(CASE WHEN event_type = 'purchase' THEN text END) AS description,
    MIN(event_date) AS first_event_date,
    MAX(event_date) AS last_event_date,
    COUNT(*) FILTER (WHERE event_type = 'purchase') AS purchases,
    MIN(unit_price) FILTER (WHERE event_type = 'purchase') AS lowest_price,
    MAX(unit_price) FILTER (WHERE event_type = 'purchase') AS highest_price
FROM stg_events
WHERE item_id IS NOT NULL AND known_date BETWEEN $first_day AND $last_day
GROUP BY item_id, known_date
