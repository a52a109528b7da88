-- Visits of the arrival days $first_day to $last_day: the source's own where it names them, else a customer's events with
-- pauses of at most 30 minutes. A visit ends at the shop's midnight, so that what follows is known to be later.
WITH clicks AS NOT MATERIALIZED (
    SELECT
        session_id,
        user_id,
        event_date,
        known_date,
        event_type,
        event_time,
        event_id
    FROM stg_events
    WHERE known_date BETWEEN $first_day AND $last_day
        AND event_type IN ('view', 'search', 'add_to_cart', 'remove_from_cart', 'purchase', 'login')
),

stepped AS (
    SELECT
        *,
        CASE
            WHEN event_time - LAG(event_time) OVER in_order <= INTERVAL 30 MINUTE THEN 0
            ELSE 1
        END AS starts_visit
    FROM clicks
    WHERE session_id IS NULL
    WINDOW in_order AS (PARTITION BY user_id, known_date, event_date ORDER BY event_time, event_id)
),

visits AS (
    SELECT
        session_id,
        user_id,
        event_date,
        known_date,
        event_type,
        event_time
    FROM clicks
    WHERE session_id IS NOT NULL
    UNION ALL
    SELECT
        CONCAT('derived-visit-', CAST(SUM(starts_visit) OVER (
            PARTITION BY user_id, known_date, event_date ORDER BY event_time, event_id
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS VARCHAR)) AS session_id,
        user_id,
        event_date,
        known_date,
        event_type,
        event_time
    FROM stepped
)

SELECT
    session_id,
    user_id,
    event_date AS session_date,
    known_date,
    MIN(event_time) AS started_at,
    MAX(event_time) AS ended_at,
    COUNT(*) AS events,
    COUNT(*) FILTER (WHERE event_type = 'view') AS views,
    COUNT(*) FILTER (WHERE event_type = 'search') AS searches,
    COUNT(*) FILTER (WHERE event_type = 'add_to_cart') AS carts,
    COUNT(*) FILTER (WHERE event_type = 'purchase') AS purchases
FROM visits
GROUP BY session_id, user_id, event_date, known_date
