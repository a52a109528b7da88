-- The workhorse aggregate: what a customer did on a day, as it arrived on the days $first_day to $last_day.
-- Every measure is additive over known_date, or its least or greatest; distinct counts are taken downstream.
SELECT
    user_id,
    event_date,
    known_date,
    MIN(event_time) AS first_event_at,
    MAX(event_time) AS last_event_at,
    COUNT(*) AS events,
    COUNT(*) FILTER (WHERE is_activity) AS activities,
    COUNT(*) FILTER (WHERE event_type = 'purchase') AS purchases,
    COALESCE(SUM(quantity) FILTER (WHERE event_type = 'purchase'), 0) AS quantity,
    COALESCE(SUM(amount) FILTER (WHERE event_type = 'purchase'), 0) AS spend,
    -- a negative one is a surcharge and no discount
    COALESCE(SUM(GREATEST(TRY_CAST(json_extract_string(properties, '$.discount') AS DECIMAL(18, 4)), 0)) FILTER (
        WHERE event_type = 'purchase'
    ), 0) AS discount,
    COUNT(*) FILTER (WHERE event_type = 'return') AS returns,
    COALESCE(SUM(ABS(amount)) FILTER (WHERE event_type = 'return'), 0) AS return_amount,
    COUNT(*) FILTER (WHERE event_type = 'view') AS views,
    COUNT(*) FILTER (WHERE event_type = 'search') AS searches,
    COUNT(*) FILTER (WHERE event_type = 'add_to_cart') AS carts,
    COUNT(*) FILTER (WHERE event_type = 'signup') AS signups,
    COUNT(*) FILTER (WHERE event_type = 'login') AS logins,
    COUNT(*) FILTER (WHERE event_type = 'support_contact') AS support_contacts,
    COUNT(*) FILTER (
        WHERE event_type = 'support_contact' AND json_extract_string(properties, '$.outcome') = 'unresolved'
    ) AS unresolved_contacts,
    COUNT(*) FILTER (WHERE event_type = 'review') AS reviews,
    COUNT(*) FILTER (
        WHERE event_type = 'review' AND TRY_CAST(json_extract_string(properties, '$.rating') AS DOUBLE) <= 2
    ) AS low_ratings,
    COUNT(*) FILTER (
        WHERE event_type = 'consent_change' AND json_extract_string(properties, '$.marketing') = 'true'
    ) AS opt_ins,
    COUNT(*) FILTER (
        WHERE event_type = 'consent_change' AND json_extract_string(properties, '$.marketing') = 'false'
    ) AS opt_outs,
    COUNT(*) FILTER (WHERE event_type = 'campaign_exposure') AS campaign_exposures,
    COUNT(*) FILTER (WHERE event_type = 'campaign_response') AS campaign_responses
FROM stg_events
WHERE known_date BETWEEN $first_day AND $last_day
GROUP BY user_id, event_date, known_date
