-- Typed and deduplicated events of the arrival days $first_day to $last_day.
-- Of several rows with one event_id the earliest by (known_date, known_at, source_file, source_row) wins, over all arrival days.
-- Only ids that repeat are ranked, without their other columns; all other rows stream through as they were read.
WITH arrivals AS NOT MATERIALIZED (
    SELECT
        *,
        CAST(timezone($timezone, timezone('UTC', event_time)) AS TIMESTAMP) AS local_time
    FROM raw_events
    WHERE known_date BETWEEN $first_day AND $last_day
),

repeated AS MATERIALIZED (
    SELECT event_id
    FROM arrivals
    GROUP BY event_id
    HAVING COUNT(*) > 1
),

first_copies AS (
    SELECT
        event_id,
        known_date,
        source_file,
        source_row
    FROM arrivals
    SEMI JOIN repeated ON repeated.event_id = arrivals.event_id
    QUALIFY ROW_NUMBER() OVER (PARTITION BY event_id ORDER BY known_date, known_at, source_file, source_row) = 1
),

earlier AS (
    SELECT event_id
    FROM stg_events
    WHERE known_date < $first_day
)

SELECT
    arrivals.event_id,
    arrivals.user_id,
    arrivals.event_time,
    CAST(arrivals.local_time AS DATE) AS event_date,
    CAST(EXTRACT(hour FROM arrivals.local_time) AS TINYINT) AS event_hour,
    arrivals.known_at,
    arrivals.known_date,
    arrivals.event_type,
    COALESCE(list_contains($activity_types, arrivals.event_type), FALSE) AS is_activity,
    arrivals.item_id,
    arrivals.category,
    arrivals.quantity,
    arrivals.unit_price,
    arrivals.amount,
    arrivals.currency,
    -- a purchase without an order number is an order of its own moment
    CASE
        WHEN arrivals.event_type = 'purchase'
            THEN COALESCE(arrivals.order_id, CONCAT(arrivals.user_id, '@', CAST(arrivals.event_time AS VARCHAR)))
        ELSE arrivals.order_id
    END AS order_id,
    arrivals.session_id,
    arrivals.channel,
    arrivals.text,
    arrivals.properties,
    arrivals.source,
    arrivals.source_file,
    arrivals.source_row
FROM arrivals
LEFT JOIN first_copies ON first_copies.event_id = arrivals.event_id
ANTI JOIN earlier ON earlier.event_id = arrivals.event_id
WHERE first_copies.event_id IS NULL OR (
    first_copies.known_date = arrivals.known_date
    AND first_copies.source_file = arrivals.source_file
    AND first_copies.source_row = arrivals.source_row
)
