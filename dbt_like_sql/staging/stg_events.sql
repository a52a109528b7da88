-- Typed and deduplicated events of the arrival days $first_day to $last_day.
-- Of several rows with one event_id the earliest by (known_date, known_at, source_file, source_row) wins, over all arrival days.
WITH arrived AS (
    SELECT
        *,
        CAST(timezone($timezone, timezone('UTC', event_time)) AS TIMESTAMP) AS local_time,
        ROW_NUMBER() OVER (PARTITION BY event_id ORDER BY known_date, known_at, source_file, source_row) AS copy_number
    FROM raw_events
    WHERE known_date BETWEEN $first_day AND $last_day
)
SELECT
    arrived.event_id,
    arrived.user_id,
    arrived.event_time,
    CAST(arrived.local_time AS DATE) AS event_date,
    CAST(EXTRACT(hour FROM arrived.local_time) AS TINYINT) AS event_hour,
    arrived.known_at,
    arrived.known_date,
    arrived.event_type,
    COALESCE(list_contains($activity_types, arrived.event_type), FALSE) AS is_activity,
    arrived.item_id,
    arrived.category,
    arrived.quantity,
    arrived.unit_price,
    arrived.amount,
    arrived.currency,
    -- a purchase without an order number is an order of its own moment
    CASE
        WHEN arrived.event_type = 'purchase'
            THEN COALESCE(arrived.order_id, CONCAT(arrived.user_id, '@', CAST(arrived.event_time AS VARCHAR)))
        ELSE arrived.order_id
    END AS order_id,
    arrived.session_id,
    arrived.channel,
    arrived.text,
    arrived.properties,
    arrived.source,
    arrived.source_file,
    arrived.source_row
FROM arrived
WHERE arrived.copy_number = 1
    AND NOT EXISTS (
        SELECT 1
        FROM stg_events AS earlier
        WHERE earlier.event_id = arrived.event_id AND earlier.known_date < $first_day
    )
