-- Who each customer is, as of the newest snapshot.
WITH features AS (
    SELECT
        user_id,
        is_eligible,
        tenure_days,
        orders_total,
        spend_total,
        recency_days,
        any_event_recency_days,
        median_gap_days,
        orders_30d,
        orders_365d,
        spend_365d,
        recency_over_median_gap
    FROM user_features
    WHERE snapshot_date = $newest_snapshot
),

habits AS (
    SELECT
        user_id,
        category,
        event_hour,
        -- 1 = Monday, counted from a Monday
        CAST(((date_diff('day', DATE '2024-01-01', event_date) % 7) + 7) % 7 + 1 AS INTEGER) AS weekday,
        order_id,
        amount
    FROM stg_events
    WHERE event_type = 'purchase' AND event_date < $newest_snapshot AND known_date <= $newest_snapshot
),

categories AS (
    SELECT
        user_id,
        category,
        ROW_NUMBER() OVER (PARTITION BY user_id ORDER BY COUNT(DISTINCT order_id) DESC, SUM(amount) DESC, category) AS place
    FROM habits
    WHERE category IS NOT NULL
    GROUP BY user_id, category
),

hours AS (
    SELECT
        user_id,
        event_hour,
        ROW_NUMBER() OVER (PARTITION BY user_id ORDER BY COUNT(DISTINCT order_id) DESC, event_hour) AS place
    FROM habits
    GROUP BY user_id, event_hour
),

weekdays AS (
    SELECT
        user_id,
        weekday,
        ROW_NUMBER() OVER (PARTITION BY user_id ORDER BY COUNT(DISTINCT order_id) DESC, weekday) AS place
    FROM habits
    GROUP BY user_id, weekday
),

shop AS (
    -- summed as DECIMAL: a sum of floats would depend on the order of the rows
    SELECT
        CASE
            WHEN SUM(orders_365d) > 0
                THEN CAST(SUM(CAST(spend_365d AS DECIMAL(38, 4))) AS DOUBLE) / CAST(SUM(orders_365d) AS DOUBLE)
        END AS order_value
    FROM features
),

forecast AS (
    SELECT
        features.user_id,
        features.orders_365d / LEAST(GREATEST(features.tenure_days, 30), 365) * $horizon_days AS expected_orders,
        CASE
            WHEN features.spend_365d > 0 AND features.orders_365d > 0 THEN features.spend_365d / features.orders_365d
            WHEN shop.order_value > 0 THEN shop.order_value
            ELSE CAST($default_order_value AS DOUBLE)
        END AS order_value
    FROM features
    CROSS JOIN shop
),

staged AS (
    SELECT
        *,
        CASE
            WHEN orders_total = 0 THEN 'prospect'
            WHEN NOT is_eligible THEN 'lost'
            WHEN orders_total = 1 AND orders_30d = 1 THEN 'new'
            WHEN orders_total = 1 THEN 'one_time'
            WHEN recency_over_median_gap > 2 THEN 'slowing'
            ELSE 'active'
        END AS lifecycle_stage,
        PERCENT_RANK() OVER (ORDER BY spend_365d) AS spend_rank,
        PERCENT_RANK() OVER (ORDER BY orders_365d) AS order_rank
    FROM features
),

segmented AS (
    SELECT
        *,
        CASE
            WHEN lifecycle_stage = 'prospect' THEN 'never bought'
            WHEN lifecycle_stage = 'lost' THEN 'lost'
            WHEN lifecycle_stage = 'new' THEN 'newcomer'
            WHEN lifecycle_stage = 'one_time' THEN 'one-time buyer'
            WHEN spend_rank >= 0.8 AND lifecycle_stage = 'active' THEN 'champion'
            WHEN spend_rank >= 0.8 THEN 'big spender, slowing'
            WHEN order_rank >= 0.5 AND lifecycle_stage = 'active' THEN 'regular'
            WHEN order_rank >= 0.5 THEN 'regular, slowing'
            ELSE 'occasional'
        END AS segment
    FROM staged
)

SELECT
    CAST($newest_snapshot AS DATE) AS snapshot_date,
    segmented.user_id,
    segmented.is_eligible,
    segmented.tenure_days,
    segmented.orders_total AS orders,
    segmented.spend_total AS spend,
    segmented.recency_days,
    segmented.median_gap_days,
    categories.category AS favourite_category,
    hours.event_hour AS preferred_hour,
    weekdays.weekday AS preferred_weekday,
    segmented.lifecycle_stage,
    segmented.segment,
    CASE segmented.segment
        WHEN 'never bought' THEN 'has browsed or signed up but never bought'
        WHEN 'lost' THEN 'bought before, not within the lookback'
        WHEN 'newcomer' THEN 'first order within the last 30 days'
        WHEN 'one-time buyer' THEN 'one order, more than 30 days ago'
        WHEN 'champion' THEN 'among the top fifth by spend and buying at the own usual pace'
        WHEN 'big spender, slowing' THEN 'among the top fifth by spend but silent for longer than usual'
        WHEN 'regular' THEN 'orders more often than most and at the own usual pace'
        WHEN 'regular, slowing' THEN 'orders more often than most but silent for longer than usual'
        ELSE 'orders less often than most'
    END AS segment_description,
    CASE
        WHEN segmented.recency_days IS NOT NULL AND segmented.median_gap_days IS NOT NULL
            THEN CAST($newest_snapshot AS DATE)
                + CAST(GREATEST(ROUND(segmented.median_gap_days) - segmented.recency_days, 0) AS INTEGER)
    END AS next_purchase_expected_on,
    forecast.expected_orders,
    forecast.expected_orders * forecast.order_value AS expected_spend
FROM segmented
INNER JOIN forecast ON forecast.user_id = segmented.user_id
LEFT JOIN categories ON categories.user_id = segmented.user_id AND categories.place = 1
LEFT JOIN hours ON hours.user_id = segmented.user_id AND hours.place = 1
LEFT JOIN weekdays ON weekdays.user_id = segmented.user_id AND weekdays.place = 1
