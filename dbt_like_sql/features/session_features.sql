-- How every customer visits the shop at the midnight that opens $snapshot_date: how often and whether that fades, how
-- deep, and what comes of it. A visit with a purchase is a buying one, any other a browsing one.
-- A visit whose clicks and orders arrived on different days is one.
WITH whole AS (
    SELECT
        user_id,
        date_diff('day', session_date, CAST($snapshot_date AS DATE)) AS age,
        SUM(events) AS events,
        SUM(views) AS views,
        SUM(searches) AS searches,
        SUM(carts) AS carts,
        SUM(purchases) AS purchases,
        date_diff('second', MIN(started_at), MAX(ended_at)) AS seconds
    FROM fct_sessions
    WHERE session_date < $snapshot_date AND known_date <= $snapshot_date
    GROUP BY user_id, session_id, session_date
),

latest AS (
    SELECT
        user_id,
        MIN(age) FILTER (WHERE purchases > 0) AS purchase_age
    FROM whole
    GROUP BY user_id
)

SELECT
    CAST($snapshot_date AS DATE) AS snapshot_date,
    whole.user_id,
    COUNT(*) FILTER (WHERE age <= 7) AS sessions_7d,
    COUNT(*) FILTER (WHERE age <= 30) AS sessions_30d,
    COUNT(*) FILTER (WHERE age <= 90) AS sessions_90d,
    COUNT(*) FILTER (WHERE age <= 180) AS sessions_180d,
    COUNT(*) FILTER (WHERE age <= 30 AND purchases = 0) AS browsing_sessions_30d,
    COUNT(*) FILTER (WHERE age <= 90 AND purchases = 0) AS browsing_sessions_90d,
    MIN(age) AS session_recency_days,
    MIN(age) FILTER (WHERE purchases = 0) AS browsing_recency_days,
    CASE WHEN MAX(purchase_age) IS NOT NULL THEN COUNT(*) FILTER (WHERE age < purchase_age) END AS sessions_since_purchase,
    CASE WHEN COUNT(*) FILTER (WHERE age <= 90) > 0
        THEN COUNT(*) FILTER (WHERE age <= 30) / CAST(COUNT(*) FILTER (WHERE age <= 90) AS DOUBLE)
    END AS session_share_30d_of_90d,
    CASE WHEN COUNT(*) FILTER (WHERE age <= 180) > 0
        THEN COUNT(*) FILTER (WHERE age <= 90) / CAST(COUNT(*) FILTER (WHERE age <= 180) AS DOUBLE)
    END AS session_share_90d_of_180d,
    AVG(events) FILTER (WHERE age <= 90) AS events_per_session_90d,
    AVG(seconds) FILTER (WHERE age <= 90) / 60 AS minutes_per_session_90d,
    CASE WHEN COUNT(*) FILTER (WHERE age <= 180) > 0
        THEN COUNT(*) FILTER (WHERE age <= 180 AND purchases > 0) / CAST(COUNT(*) FILTER (WHERE age <= 180) AS DOUBLE)
    END AS buying_session_share_180d,
    CASE WHEN COUNT(*) FILTER (WHERE age <= 180 AND carts > 0) > 0
        THEN COUNT(*) FILTER (WHERE age <= 180 AND carts > 0 AND purchases = 0)
            / CAST(COUNT(*) FILTER (WHERE age <= 180 AND carts > 0) AS DOUBLE)
    END AS abandoned_cart_share_180d,
    MIN(age) FILTER (WHERE carts > 0 AND purchases = 0) AS abandoned_cart_recency_days,
    CASE WHEN COUNT(*) FILTER (WHERE age <= 180 AND searches > 0) > 0
        THEN COUNT(*) FILTER (WHERE age <= 180 AND searches > 0 AND views = 0)
            / CAST(COUNT(*) FILTER (WHERE age <= 180 AND searches > 0) AS DOUBLE)
    END AS search_without_view_share_180d
FROM whole
INNER JOIN latest ON latest.user_id = whole.user_id
GROUP BY whole.user_id
