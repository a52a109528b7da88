-- Every item that an event ever named, with its latest category and the names it is sold under.
SELECT
    item_id,
    ARG_MAX(category, (event_time, event_id)) AS category,
    MAX(CASE WHEN event_type = 'purchase' THEN text END) AS description,
    MIN(event_date) AS first_event_date,
    MAX(event_date) AS last_event_date,
    COUNT(*) FILTER (WHERE event_type = 'purchase') AS purchase_lines,
    MIN(unit_price) FILTER (WHERE event_type = 'purchase') AS lowest_price,
    MAX(unit_price) FILTER (WHERE event_type = 'purchase') AS highest_price
FROM stg_events
WHERE item_id IS NOT NULL
GROUP BY item_id
