-- How many events of each type every week holds, and how many of them carry each optional field.
SELECT
    CAST(date_trunc('week', event_date) AS DATE) AS week_start,
    event_type,
    COUNT(*) AS events,
    COUNT(*) FILTER (WHERE is_activity) AS activities,
    MAX(event_date) FILTER (WHERE is_activity) AS last_activity_date,
    -- a source that holds dates only is at midnight of its own zone: the shop's or UTC
    COUNT(*) FILTER (
        WHERE CAST(event_time AS TIME) = TIME '00:00:00'
            OR CAST(timezone($timezone, timezone('UTC', event_time)) AS TIME) = TIME '00:00:00'
    ) AS at_midnight,
    COUNT(item_id) AS with_item_id,
    COUNT(category) AS with_category,
    COUNT(quantity) AS with_quantity,
    COUNT(unit_price) AS with_unit_price,
    COUNT(amount) AS with_amount,
    COUNT(currency) AS with_currency,
    -- an order number that staging has derived is none of the source
    COUNT(order_id) FILTER (
        WHERE order_id <> CONCAT(user_id, '@', CAST(event_time AS VARCHAR))
    ) AS with_order_id,
    COUNT(session_id) AS with_session_id,
    COUNT(channel) AS with_channel,
    COUNT(text) AS with_text,
    COUNT(properties) AS with_properties
FROM stg_events
GROUP BY CAST(date_trunc('week', event_date) AS DATE), event_type
