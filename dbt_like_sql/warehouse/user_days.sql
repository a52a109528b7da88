-- The workhorse aggregate: what a customer did on a day, as it arrived on the days $first_day to $last_day.
-- Every measure is additive over known_date; distinct counts are taken downstream.
SELECT
    user_id,
    event_date,
    known_date,
    COUNT(*) AS events,
    COUNT(*) FILTER (WHERE is_activity) AS activities,
    COUNT(*) FILTER (WHERE event_type = 'purchase') AS purchases,
    COALESCE(SUM(quantity) FILTER (WHERE event_type = 'purchase'), 0) AS quantity,
    COALESCE(SUM(amount) FILTER (WHERE event_type = 'purchase'), 0) AS spend,
    COUNT(*) FILTER (WHERE event_type = 'return') AS returns,
    COALESCE(SUM(ABS(amount)) FILTER (WHERE event_type = 'return'), 0) AS return_amount,
    COUNT(*) FILTER (WHERE event_type = 'view') AS views,
    COUNT(*) FILTER (WHERE event_type = 'search') AS searches,
    COUNT(*) FILTER (WHERE event_type = 'add_to_cart') AS carts,
    COUNT(*) FILTER (WHERE event_type = 'support_contact') AS support_contacts
FROM stg_events
WHERE known_date BETWEEN $first_day AND $last_day
GROUP BY user_id, event_date, known_date
