-- Typed and deduplicated events of the arrival days $first_day to $last_day.
-- Of several rows with one event_id the earliest by (known_date, known_at, source_file, source_row) wins, over all arrival days.
-- Only the rows of ids that repeat are ranked; all others stream through in the order in which they were read.
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

arrived AS (
    SELECT
        arrivals.*,
        1 AS copy_number
    FROM arrivals
    ANTI JOIN repeated ON repeated.event_id = arrivals.event_id
    UNION ALL
    SELECT
        arrivals.*,
        ROW_NUMBER() OVER (
            PARTITION BY arrivals.event_id
            ORDER BY arrivals.known_date, arrivals.known_at, arrivals.source_file, arrivals.source_row
        ) AS copy_number
    FROM arrivals
    SEMI JOIN repeated ON repeated.event_id = arrivals.event_id
),

earlier AS (
    SELECT event_id
    FROM stg_events
    WHERE known_date < $first_day
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
ANTI JOIN earlier ON earlier.event_id = arrived.event_id
WHERE arrived.copy_number = 1
