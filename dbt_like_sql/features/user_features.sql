-- What could be known of every customer at the midnight that opens $snapshot_date: events that happened before it and had
-- arrived by the morning after (known_date <= snapshot). Windows are [S - n, S). Measures are summed by the disjoint bands
-- between the window edges, then bands are added up to windows.
WITH known AS (
    SELECT
        user_id,
        event_date,
        date_diff('day', event_date, CAST($snapshot_date AS DATE)) AS age,
        events,
        activities,
        purchases,
        spend,
        quantity,
        views,
        searches,
        carts,
        returns,
        return_amount,
        support_contacts
    FROM user_days
    WHERE event_date < $snapshot_date AND known_date <= $snapshot_date
),

banded AS (
    SELECT
        user_id,
        CASE
            WHEN age <= 7 THEN 7
            WHEN age <= 14 THEN 14
            WHEN age <= 30 THEN 30
            WHEN age <= 60 THEN 60
            WHEN age <= 90 THEN 90
            WHEN age <= 180 THEN 180
            WHEN age <= 365 THEN 365
            ELSE 99999
        END AS band,
        MIN(age) AS latest_age,
        MAX(age) AS earliest_age,
        SUM(purchases) AS purchases,
        SUM(spend) AS spend,
        SUM(quantity) AS quantity,
        SUM(views) AS views,
        SUM(searches) AS searches,
        SUM(carts) AS carts,
        SUM(returns) AS returns,
        SUM(return_amount) AS return_amount,
        SUM(support_contacts) AS support_contacts
    FROM known
    GROUP BY user_id, band
),

windows AS (
    SELECT
        user_id,
        MIN(latest_age) AS any_event_recency_days,
        MAX(earliest_age) AS tenure_days,
        SUM(spend) AS spend_total,
        SUM(CASE WHEN band <= 7 THEN purchases ELSE 0 END) AS purchases_7d,
        SUM(CASE WHEN band <= 14 THEN purchases ELSE 0 END) AS purchases_14d,
        SUM(CASE WHEN band <= 30 THEN purchases ELSE 0 END) AS purchases_30d,
        SUM(CASE WHEN band <= 60 THEN purchases ELSE 0 END) AS purchases_60d,
        SUM(CASE WHEN band <= 90 THEN purchases ELSE 0 END) AS purchases_90d,
        SUM(CASE WHEN band <= 180 THEN purchases ELSE 0 END) AS purchases_180d,
        SUM(CASE WHEN band <= 365 THEN purchases ELSE 0 END) AS purchases_365d,
        SUM(CASE WHEN band <= 7 THEN spend ELSE 0 END) AS spend_7d,
        SUM(CASE WHEN band <= 14 THEN spend ELSE 0 END) AS spend_14d,
        SUM(CASE WHEN band <= 30 THEN spend ELSE 0 END) AS spend_30d,
        SUM(CASE WHEN band <= 60 THEN spend ELSE 0 END) AS spend_60d,
        SUM(CASE WHEN band <= 90 THEN spend ELSE 0 END) AS spend_90d,
        SUM(CASE WHEN band <= 180 THEN spend ELSE 0 END) AS spend_180d,
        SUM(CASE WHEN band <= 365 THEN spend ELSE 0 END) AS spend_365d,
        SUM(CASE WHEN band <= 7 THEN quantity ELSE 0 END) AS quantity_7d,
        SUM(CASE WHEN band <= 14 THEN quantity ELSE 0 END) AS quantity_14d,
        SUM(CASE WHEN band <= 30 THEN quantity ELSE 0 END) AS quantity_30d,
        SUM(CASE WHEN band <= 60 THEN quantity ELSE 0 END) AS quantity_60d,
        SUM(CASE WHEN band <= 90 THEN quantity ELSE 0 END) AS quantity_90d,
        SUM(CASE WHEN band <= 180 THEN quantity ELSE 0 END) AS quantity_180d,
        SUM(CASE WHEN band <= 365 THEN quantity ELSE 0 END) AS quantity_365d,
        SUM(CASE WHEN band <= 7 THEN views ELSE 0 END) AS views_7d,
        SUM(CASE WHEN band <= 14 THEN views ELSE 0 END) AS views_14d,
        SUM(CASE WHEN band <= 30 THEN views ELSE 0 END) AS views_30d,
        SUM(CASE WHEN band <= 60 THEN views ELSE 0 END) AS views_60d,
        SUM(CASE WHEN band <= 90 THEN views ELSE 0 END) AS views_90d,
        SUM(CASE WHEN band <= 180 THEN views ELSE 0 END) AS views_180d,
        SUM(CASE WHEN band <= 365 THEN views ELSE 0 END) AS views_365d,
        SUM(CASE WHEN band <= 7 THEN searches ELSE 0 END) AS searches_7d,
        SUM(CASE WHEN band <= 14 THEN searches ELSE 0 END) AS searches_14d,
        SUM(CASE WHEN band <= 30 THEN searches ELSE 0 END) AS searches_30d,
        SUM(CASE WHEN band <= 60 THEN searches ELSE 0 END) AS searches_60d,
        SUM(CASE WHEN band <= 90 THEN searches ELSE 0 END) AS searches_90d,
        SUM(CASE WHEN band <= 180 THEN searches ELSE 0 END) AS searches_180d,
        SUM(CASE WHEN band <= 365 THEN searches ELSE 0 END) AS searches_365d,
        SUM(CASE WHEN band <= 7 THEN carts ELSE 0 END) AS carts_7d,
        SUM(CASE WHEN band <= 14 THEN carts ELSE 0 END) AS carts_14d,
        SUM(CASE WHEN band <= 30 THEN carts ELSE 0 END) AS carts_30d,
        SUM(CASE WHEN band <= 60 THEN carts ELSE 0 END) AS carts_60d,
        SUM(CASE WHEN band <= 90 THEN carts ELSE 0 END) AS carts_90d,
        SUM(CASE WHEN band <= 180 THEN carts ELSE 0 END) AS carts_180d,
        SUM(CASE WHEN band <= 365 THEN carts ELSE 0 END) AS carts_365d,
        SUM(CASE WHEN band <= 7 THEN returns ELSE 0 END) AS returns_7d,
        SUM(CASE WHEN band <= 14 THEN returns ELSE 0 END) AS returns_14d,
        SUM(CASE WHEN band <= 30 THEN returns ELSE 0 END) AS returns_30d,
        SUM(CASE WHEN band <= 60 THEN returns ELSE 0 END) AS returns_60d,
        SUM(CASE WHEN band <= 90 THEN returns ELSE 0 END) AS returns_90d,
        SUM(CASE WHEN band <= 180 THEN returns ELSE 0 END) AS returns_180d,
        SUM(CASE WHEN band <= 365 THEN returns ELSE 0 END) AS returns_365d,
        SUM(CASE WHEN band <= 7 THEN return_amount ELSE 0 END) AS return_amount_7d,
        SUM(CASE WHEN band <= 14 THEN return_amount ELSE 0 END) AS return_amount_14d,
        SUM(CASE WHEN band <= 30 THEN return_amount ELSE 0 END) AS return_amount_30d,
        SUM(CASE WHEN band <= 60 THEN return_amount ELSE 0 END) AS return_amount_60d,
        SUM(CASE WHEN band <= 90 THEN return_amount ELSE 0 END) AS return_amount_90d,
        SUM(CASE WHEN band <= 180 THEN return_amount ELSE 0 END) AS return_amount_180d,
        SUM(CASE WHEN band <= 365 THEN return_amount ELSE 0 END) AS return_amount_365d,
        SUM(CASE WHEN band <= 7 THEN support_contacts ELSE 0 END) AS support_contacts_7d,
        SUM(CASE WHEN band <= 14 THEN support_contacts ELSE 0 END) AS support_contacts_14d,
        SUM(CASE WHEN band <= 30 THEN support_contacts ELSE 0 END) AS support_contacts_30d,
        SUM(CASE WHEN band <= 60 THEN support_contacts ELSE 0 END) AS support_contacts_60d,
        SUM(CASE WHEN band <= 90 THEN support_contacts ELSE 0 END) AS support_contacts_90d,
        SUM(CASE WHEN band <= 180 THEN support_contacts ELSE 0 END) AS support_contacts_180d,
        SUM(CASE WHEN band <= 365 THEN support_contacts ELSE 0 END) AS support_contacts_365d
    FROM banded
    GROUP BY user_id
),

known_orders AS (
    SELECT
        user_id,
        order_id,
        date_diff('day', MIN(order_date), CAST($snapshot_date AS DATE)) AS age
    FROM fct_orders
    WHERE order_date < $snapshot_date AND known_date <= $snapshot_date
    GROUP BY user_id, order_id
),

orders AS (
    SELECT
        user_id,
        COUNT(*) AS orders_total,
        COUNT(*) FILTER (WHERE age <= 7) AS orders_7d,
        COUNT(*) FILTER (WHERE age <= 14) AS orders_14d,
        COUNT(*) FILTER (WHERE age <= 30) AS orders_30d,
        COUNT(*) FILTER (WHERE age <= 60) AS orders_60d,
        COUNT(*) FILTER (WHERE age <= 90) AS orders_90d,
        COUNT(*) FILTER (WHERE age <= 180) AS orders_180d,
        COUNT(*) FILTER (WHERE age <= 365) AS orders_365d
    FROM known_orders
    GROUP BY user_id
),

active AS (
    SELECT
        user_id,
        event_date,
        MIN(age) AS age
    FROM known
    WHERE activities > 0
    GROUP BY user_id, event_date
),

stepped AS (
    SELECT
        user_id,
        age,
        LAG(age) OVER (PARTITION BY user_id ORDER BY event_date) - age AS gap
    FROM active
),

rhythm AS (
    SELECT
        user_id,
        COUNT(*) AS active_days_total,
        MIN(age) AS recency_days,
        MAX(age) AS active_tenure_days,
        COUNT(*) FILTER (WHERE age <= 7) AS active_days_7d,
        COUNT(*) FILTER (WHERE age <= 14) AS active_days_14d,
        COUNT(*) FILTER (WHERE age <= 30) AS active_days_30d,
        COUNT(*) FILTER (WHERE age <= 60) AS active_days_60d,
        COUNT(*) FILTER (WHERE age <= 90) AS active_days_90d,
        COUNT(*) FILTER (WHERE age <= 180) AS active_days_180d,
        COUNT(*) FILTER (WHERE age <= 365) AS active_days_365d,
        AVG(gap) AS mean_gap_days,
        MEDIAN(gap) AS median_gap_days,
        -- the sample standard deviation from whole-number sums: the same to the last bit whatever the order of the rows
        CASE WHEN COUNT(gap) > 1
            THEN SQRT((SUM(gap * gap) * COUNT(gap) - SUM(gap) * SUM(gap)) / (COUNT(gap) * (COUNT(gap) - 1)))
        END AS sd_gap_days,
        MAX(gap) AS max_gap_days,
        ARG_MIN(gap, age) AS last_gap_days
    FROM stepped
    GROUP BY user_id
)

SELECT
    CAST($snapshot_date AS DATE) AS snapshot_date,
    windows.user_id,
    COALESCE(rhythm.recency_days <= $lookback_days, FALSE) AS is_eligible,
    rhythm.recency_days,
    windows.any_event_recency_days,
    windows.tenure_days,
    rhythm.active_tenure_days,
    COALESCE(orders.orders_total, 0) AS orders_total,
    CAST(windows.spend_total AS DOUBLE) AS spend_total,
    COALESCE(rhythm.active_days_total, 0) AS active_days_total,
    rhythm.mean_gap_days,
    rhythm.median_gap_days,
    rhythm.sd_gap_days,
    rhythm.max_gap_days,
    rhythm.last_gap_days,
    rhythm.recency_days / NULLIF(rhythm.median_gap_days, 0) AS recency_over_median_gap,
    CAST(windows.return_amount_365d AS DOUBLE) / NULLIF(CAST(windows.spend_365d AS DOUBLE), 0) AS return_share_365d,
    CAST(windows.spend_365d AS DOUBLE) / NULLIF(orders.orders_365d, 0) AS order_value_365d,
    COALESCE(orders.orders_7d, 0) AS orders_7d,
    COALESCE(orders.orders_14d, 0) AS orders_14d,
    COALESCE(orders.orders_30d, 0) AS orders_30d,
    COALESCE(orders.orders_60d, 0) AS orders_60d,
    COALESCE(orders.orders_90d, 0) AS orders_90d,
    COALESCE(orders.orders_180d, 0) AS orders_180d,
    COALESCE(orders.orders_365d, 0) AS orders_365d,
    COALESCE(rhythm.active_days_7d, 0) AS active_days_7d,
    COALESCE(rhythm.active_days_14d, 0) AS active_days_14d,
    COALESCE(rhythm.active_days_30d, 0) AS active_days_30d,
    COALESCE(rhythm.active_days_60d, 0) AS active_days_60d,
    COALESCE(rhythm.active_days_90d, 0) AS active_days_90d,
    COALESCE(rhythm.active_days_180d, 0) AS active_days_180d,
    COALESCE(rhythm.active_days_365d, 0) AS active_days_365d,
    CAST(windows.purchases_7d AS BIGINT) AS purchases_7d,
    CAST(windows.purchases_14d AS BIGINT) AS purchases_14d,
    CAST(windows.purchases_30d AS BIGINT) AS purchases_30d,
    CAST(windows.purchases_60d AS BIGINT) AS purchases_60d,
    CAST(windows.purchases_90d AS BIGINT) AS purchases_90d,
    CAST(windows.purchases_180d AS BIGINT) AS purchases_180d,
    CAST(windows.purchases_365d AS BIGINT) AS purchases_365d,
    CAST(windows.spend_7d AS DOUBLE) AS spend_7d,
    CAST(windows.spend_14d AS DOUBLE) AS spend_14d,
    CAST(windows.spend_30d AS DOUBLE) AS spend_30d,
    CAST(windows.spend_60d AS DOUBLE) AS spend_60d,
    CAST(windows.spend_90d AS DOUBLE) AS spend_90d,
    CAST(windows.spend_180d AS DOUBLE) AS spend_180d,
    CAST(windows.spend_365d AS DOUBLE) AS spend_365d,
    CAST(windows.quantity_7d AS DOUBLE) AS quantity_7d,
    CAST(windows.quantity_14d AS DOUBLE) AS quantity_14d,
    CAST(windows.quantity_30d AS DOUBLE) AS quantity_30d,
    CAST(windows.quantity_60d AS DOUBLE) AS quantity_60d,
    CAST(windows.quantity_90d AS DOUBLE) AS quantity_90d,
    CAST(windows.quantity_180d AS DOUBLE) AS quantity_180d,
    CAST(windows.quantity_365d AS DOUBLE) AS quantity_365d,
    CAST(windows.views_7d AS BIGINT) AS views_7d,
    CAST(windows.views_14d AS BIGINT) AS views_14d,
    CAST(windows.views_30d AS BIGINT) AS views_30d,
    CAST(windows.views_60d AS BIGINT) AS views_60d,
    CAST(windows.views_90d AS BIGINT) AS views_90d,
    CAST(windows.views_180d AS BIGINT) AS views_180d,
    CAST(windows.views_365d AS BIGINT) AS views_365d,
    CAST(windows.searches_7d AS BIGINT) AS searches_7d,
    CAST(windows.searches_14d AS BIGINT) AS searches_14d,
    CAST(windows.searches_30d AS BIGINT) AS searches_30d,
    CAST(windows.searches_60d AS BIGINT) AS searches_60d,
    CAST(windows.searches_90d AS BIGINT) AS searches_90d,
    CAST(windows.searches_180d AS BIGINT) AS searches_180d,
    CAST(windows.searches_365d AS BIGINT) AS searches_365d,
    CAST(windows.carts_7d AS BIGINT) AS carts_7d,
    CAST(windows.carts_14d AS BIGINT) AS carts_14d,
    CAST(windows.carts_30d AS BIGINT) AS carts_30d,
    CAST(windows.carts_60d AS BIGINT) AS carts_60d,
    CAST(windows.carts_90d AS BIGINT) AS carts_90d,
    CAST(windows.carts_180d AS BIGINT) AS carts_180d,
    CAST(windows.carts_365d AS BIGINT) AS carts_365d,
    CAST(windows.returns_7d AS BIGINT) AS returns_7d,
    CAST(windows.returns_14d AS BIGINT) AS returns_14d,
    CAST(windows.returns_30d AS BIGINT) AS returns_30d,
    CAST(windows.returns_60d AS BIGINT) AS returns_60d,
    CAST(windows.returns_90d AS BIGINT) AS returns_90d,
    CAST(windows.returns_180d AS BIGINT) AS returns_180d,
    CAST(windows.returns_365d AS BIGINT) AS returns_365d,
    CAST(windows.return_amount_7d AS DOUBLE) AS return_amount_7d,
    CAST(windows.return_amount_14d AS DOUBLE) AS return_amount_14d,
    CAST(windows.return_amount_30d AS DOUBLE) AS return_amount_30d,
    CAST(windows.return_amount_60d AS DOUBLE) AS return_amount_60d,
    CAST(windows.return_amount_90d AS DOUBLE) AS return_amount_90d,
    CAST(windows.return_amount_180d AS DOUBLE) AS return_amount_180d,
    CAST(windows.return_amount_365d AS DOUBLE) AS return_amount_365d,
    CAST(windows.support_contacts_7d AS BIGINT) AS support_contacts_7d,
    CAST(windows.support_contacts_14d AS BIGINT) AS support_contacts_14d,
    CAST(windows.support_contacts_30d AS BIGINT) AS support_contacts_30d,
    CAST(windows.support_contacts_60d AS BIGINT) AS support_contacts_60d,
    CAST(windows.support_contacts_90d AS BIGINT) AS support_contacts_90d,
    CAST(windows.support_contacts_180d AS BIGINT) AS support_contacts_180d,
    CAST(windows.support_contacts_365d AS BIGINT) AS support_contacts_365d
FROM windows
LEFT JOIN orders ON orders.user_id = windows.user_id
LEFT JOIN rhythm ON rhythm.user_id = windows.user_id
