-- What could be known of every customer at the midnight that opens $snapshot_date: events that happened before it and had
-- arrived by the morning after (known_date <= snapshot). Windows are [S - n, S). Measures are summed by the disjoint bands
-- between the window edges, then bands are added up to windows: a third of the time of a sum with a condition per window.
WITH known AS NOT MATERIALIZED (
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
        CAST(SUM(purchases) AS BIGINT) AS purchases,
        SUM(spend) AS spend,
        SUM(quantity) AS quantity,
        CAST(SUM(views) AS BIGINT) AS views,
        CAST(SUM(searches) AS BIGINT) AS searches,
        CAST(SUM(carts) AS BIGINT) AS carts,
        CAST(SUM(returns) AS BIGINT) AS returns,
        SUM(return_amount) AS return_amount,
        CAST(SUM(support_contacts) AS BIGINT) AS support_contacts
    FROM known
    GROUP BY user_id, band
),

customers AS (
    SELECT
        user_id,
        MIN(latest_age) AS any_event_recency_days,
        MAX(earliest_age) AS tenure_days,
        SUM(spend) AS spend_total
    FROM banded
    GROUP BY user_id
),

windows AS (
    SELECT
        customers.user_id,
        customers.any_event_recency_days,
        customers.tenure_days,
        customers.spend_total,
        COALESCE(band_7.purchases, 0) AS purchases_7d,
        purchases_7d + COALESCE(band_14.purchases, 0) AS purchases_14d,
        purchases_14d + COALESCE(band_30.purchases, 0) AS purchases_30d,
        purchases_30d + COALESCE(band_60.purchases, 0) AS purchases_60d,
        purchases_60d + COALESCE(band_90.purchases, 0) AS purchases_90d,
        purchases_90d + COALESCE(band_180.purchases, 0) AS purchases_180d,
        purchases_180d + COALESCE(band_365.purchases, 0) AS purchases_365d,
        COALESCE(band_7.spend, 0) AS spend_7d,
        spend_7d + COALESCE(band_14.spend, 0) AS spend_14d,
        spend_14d + COALESCE(band_30.spend, 0) AS spend_30d,
        spend_30d + COALESCE(band_60.spend, 0) AS spend_60d,
        spend_60d + COALESCE(band_90.spend, 0) AS spend_90d,
        spend_90d + COALESCE(band_180.spend, 0) AS spend_180d,
        spend_180d + COALESCE(band_365.spend, 0) AS spend_365d,
        COALESCE(band_7.quantity, 0) AS quantity_7d,
        quantity_7d + COALESCE(band_14.quantity, 0) AS quantity_14d,
        quantity_14d + COALESCE(band_30.quantity, 0) AS quantity_30d,
        quantity_30d + COALESCE(band_60.quantity, 0) AS quantity_60d,
        quantity_60d + COALESCE(band_90.quantity, 0) AS quantity_90d,
        quantity_90d + COALESCE(band_180.quantity, 0) AS quantity_180d,
        quantity_180d + COALESCE(band_365.quantity, 0) AS quantity_365d,
        COALESCE(band_7.views, 0) AS views_7d,
        views_7d + COALESCE(band_14.views, 0) AS views_14d,
        views_14d + COALESCE(band_30.views, 0) AS views_30d,
        views_30d + COALESCE(band_60.views, 0) AS views_60d,
        views_60d + COALESCE(band_90.views, 0) AS views_90d,
        views_90d + COALESCE(band_180.views, 0) AS views_180d,
        views_180d + COALESCE(band_365.views, 0) AS views_365d,
        COALESCE(band_7.searches, 0) AS searches_7d,
        searches_7d + COALESCE(band_14.searches, 0) AS searches_14d,
        searches_14d + COALESCE(band_30.searches, 0) AS searches_30d,
        searches_30d + COALESCE(band_60.searches, 0) AS searches_60d,
        searches_60d + COALESCE(band_90.searches, 0) AS searches_90d,
        searches_90d + COALESCE(band_180.searches, 0) AS searches_180d,
        searches_180d + COALESCE(band_365.searches, 0) AS searches_365d,
        COALESCE(band_7.carts, 0) AS carts_7d,
        carts_7d + COALESCE(band_14.carts, 0) AS carts_14d,
        carts_14d + COALESCE(band_30.carts, 0) AS carts_30d,
        carts_30d + COALESCE(band_60.carts, 0) AS carts_60d,
        carts_60d + COALESCE(band_90.carts, 0) AS carts_90d,
        carts_90d + COALESCE(band_180.carts, 0) AS carts_180d,
        carts_180d + COALESCE(band_365.carts, 0) AS carts_365d,
        COALESCE(band_7.returns, 0) AS returns_7d,
        returns_7d + COALESCE(band_14.returns, 0) AS returns_14d,
        returns_14d + COALESCE(band_30.returns, 0) AS returns_30d,
        returns_30d + COALESCE(band_60.returns, 0) AS returns_60d,
        returns_60d + COALESCE(band_90.returns, 0) AS returns_90d,
        returns_90d + COALESCE(band_180.returns, 0) AS returns_180d,
        returns_180d + COALESCE(band_365.returns, 0) AS returns_365d,
        COALESCE(band_7.return_amount, 0) AS return_amount_7d,
        return_amount_7d + COALESCE(band_14.return_amount, 0) AS return_amount_14d,
        return_amount_14d + COALESCE(band_30.return_amount, 0) AS return_amount_30d,
        return_amount_30d + COALESCE(band_60.return_amount, 0) AS return_amount_60d,
        return_amount_60d + COALESCE(band_90.return_amount, 0) AS return_amount_90d,
        return_amount_90d + COALESCE(band_180.return_amount, 0) AS return_amount_180d,
        return_amount_180d + COALESCE(band_365.return_amount, 0) AS return_amount_365d,
        COALESCE(band_7.support_contacts, 0) AS support_contacts_7d,
        support_contacts_7d + COALESCE(band_14.support_contacts, 0) AS support_contacts_14d,
        support_contacts_14d + COALESCE(band_30.support_contacts, 0) AS support_contacts_30d,
        support_contacts_30d + COALESCE(band_60.support_contacts, 0) AS support_contacts_60d,
        support_contacts_60d + COALESCE(band_90.support_contacts, 0) AS support_contacts_90d,
        support_contacts_90d + COALESCE(band_180.support_contacts, 0) AS support_contacts_180d,
        support_contacts_180d + COALESCE(band_365.support_contacts, 0) AS support_contacts_365d
    FROM customers
    LEFT JOIN banded AS band_7 ON band_7.user_id = customers.user_id AND band_7.band = 7
    LEFT JOIN banded AS band_14 ON band_14.user_id = customers.user_id AND band_14.band = 14
    LEFT JOIN banded AS band_30 ON band_30.user_id = customers.user_id AND band_30.band = 30
    LEFT JOIN banded AS band_60 ON band_60.user_id = customers.user_id AND band_60.band = 60
    LEFT JOIN banded AS band_90 ON band_90.user_id = customers.user_id AND band_90.band = 90
    LEFT JOIN banded AS band_180 ON band_180.user_id = customers.user_id AND band_180.band = 180
    LEFT JOIN banded AS band_365 ON band_365.user_id = customers.user_id AND band_365.band = 365
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
    windows.purchases_7d,
    windows.purchases_14d,
    windows.purchases_30d,
    windows.purchases_60d,
    windows.purchases_90d,
    windows.purchases_180d,
    windows.purchases_365d,
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
    windows.views_7d,
    windows.views_14d,
    windows.views_30d,
    windows.views_60d,
    windows.views_90d,
    windows.views_180d,
    windows.views_365d,
    windows.searches_7d,
    windows.searches_14d,
    windows.searches_30d,
    windows.searches_60d,
    windows.searches_90d,
    windows.searches_180d,
    windows.searches_365d,
    windows.carts_7d,
    windows.carts_14d,
    windows.carts_30d,
    windows.carts_60d,
    windows.carts_90d,
    windows.carts_180d,
    windows.carts_365d,
    windows.returns_7d,
    windows.returns_14d,
    windows.returns_30d,
    windows.returns_60d,
    windows.returns_90d,
    windows.returns_180d,
    windows.returns_365d,
    CAST(windows.return_amount_7d AS DOUBLE) AS return_amount_7d,
    CAST(windows.return_amount_14d AS DOUBLE) AS return_amount_14d,
    CAST(windows.return_amount_30d AS DOUBLE) AS return_amount_30d,
    CAST(windows.return_amount_60d AS DOUBLE) AS return_amount_60d,
    CAST(windows.return_amount_90d AS DOUBLE) AS return_amount_90d,
    CAST(windows.return_amount_180d AS DOUBLE) AS return_amount_180d,
    CAST(windows.return_amount_365d AS DOUBLE) AS return_amount_365d,
    windows.support_contacts_7d,
    windows.support_contacts_14d,
    windows.support_contacts_30d,
    windows.support_contacts_60d,
    windows.support_contacts_90d,
    windows.support_contacts_180d,
    windows.support_contacts_365d
FROM windows
LEFT JOIN orders ON orders.user_id = windows.user_id
LEFT JOIN rhythm ON rhythm.user_id = windows.user_id
