-- Every item that an event ever named, with its latest category and a name it is sold under.
SELECT
    item_id,
    ARG_MAX(category, (category_at, known_date)) AS category,
    MAX(description) AS description,
    MIN(first_event_date) AS first_event_date,
    MAX(last_event_date) AS last_event_date,
    CAST(SUM(purchases) AS BIGINT) AS purchase_lines,
    MIN(lowest_price) AS lowest_price,
    MAX(highest_price) AS highest_price
FROM item_days
GROUP BY item_id
