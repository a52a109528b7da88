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
        order_hour,
        -- 1 = Monday, counted from a Monday
        CAST(((date_diff('day', DATE '2024-01-01', order_date) % 7) + 7) % 7 + 1 AS INTEGER) AS weekday,
        order_id
    FROM fct_orders
    WHERE order_date < $newest_snapshot AND known_date <= $newest_snapshot
),

categories AS (
    SELECT
        user_id,
        category,
        ROW_NUMBER() OVER (PARTITION BY user_id ORDER BY COUNT(DISTINCT event_date) DESC, SUM(amount) DESC, category) AS place
    FROM user_categories
    WHERE event_date < $newest_snapshot AND known_date <= $newest_snapshot
    GROUP BY user_id, category
),

hours AS (
    SELECT
        user_id,
        order_hour,
        ROW_NUMBER() OVER (PARTITION BY user_id ORDER BY COUNT(DISTINCT order_id) DESC, order_hour) AS place
    FROM habits
    GROUP BY user_id, order_hour
),

weekdays AS (
    SELECT
        user_id,
        weekday,
        ROW_NUMBER() OVER (PARTITION BY user_id ORDER BY COUNT(DISTINCT order_id) DESC, weekday) AS place
    FROM habits
    GROUP BY user_id, weekday
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

behaviours AS (
    SELECT DISTINCT
        segment,
        description
    FROM segment_traits
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
    hours.order_hour AS preferred_hour,
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
    customer_segments.segment AS behaviour_segment,
    behaviours.description AS behaviour_description,
    purchase_forecast.next_purchase_on AS next_purchase_expected_on,
    COALESCE(purchase_forecast.expected_orders, 0) AS expected_orders,
    COALESCE(purchase_forecast.expected_spend, 0) AS expected_spend
FROM segmented
LEFT JOIN purchase_forecast ON purchase_forecast.user_id = segmented.user_id
LEFT JOIN customer_segments
    ON customer_segments.user_id = segmented.user_id AND customer_segments.snapshot_date = $newest_snapshot
LEFT JOIN behaviours ON behaviours.segment = customer_segments.segment
LEFT JOIN categories ON categories.user_id = segmented.user_id AND categories.place = 1
LEFT JOIN hours ON hours.user_id = segmented.user_id AND hours.place = 1
LEFT JOIN weekdays ON weekdays.user_id = segmented.user_id AND weekdays.place = 1
