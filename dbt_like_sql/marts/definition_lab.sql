-- What other horizons would have called churned, by training snapshot and slice of customers, and who of them came back.
-- Over all that is known today; rows exist where the horizon had passed by $newest_snapshot. A customer's slices are as of
-- the snapshot.
WITH eligible AS (
    SELECT
        snapshot_date,
        user_id,
        CASE
            WHEN orders_total <= 1 THEN '1 order'
            WHEN orders_total <= 5 THEN '2 to 5 orders'
            ELSE '6 orders and more'
        END AS loyalty
    FROM user_features
    WHERE is_eligible AND list_contains($training_snapshots, snapshot_date)
),

returned AS (
    SELECT
        eligible.snapshot_date,
        eligible.user_id,
        MIN(user_days.event_date) AS next_date
    FROM eligible
    INNER JOIN user_days
        ON user_days.user_id = eligible.user_id
        AND user_days.activities > 0
        AND user_days.event_date >= eligible.snapshot_date + $lead_days
        AND user_days.event_date < $newest_snapshot
    GROUP BY eligible.snapshot_date, eligible.user_id
),

categories AS (
    SELECT
        eligible.snapshot_date,
        eligible.user_id,
        user_categories.category,
        ROW_NUMBER() OVER (
            PARTITION BY eligible.snapshot_date, eligible.user_id
            ORDER BY COUNT(DISTINCT user_categories.event_date) DESC, SUM(user_categories.amount) DESC, user_categories.category
        ) AS place
    FROM eligible
    INNER JOIN user_categories
        ON user_categories.user_id = eligible.user_id
        AND user_categories.event_date < eligible.snapshot_date
        AND user_categories.known_date <= eligible.snapshot_date
    GROUP BY eligible.snapshot_date, eligible.user_id, user_categories.category
),

customers AS (
    SELECT
        eligible.snapshot_date,
        eligible.loyalty,
        categories.category,
        date_diff('day', eligible.snapshot_date + $lead_days, returned.next_date) AS back_after
    FROM eligible
    LEFT JOIN returned ON returned.snapshot_date = eligible.snapshot_date AND returned.user_id = eligible.user_id
    LEFT JOIN categories
        ON categories.snapshot_date = eligible.snapshot_date
        AND categories.user_id = eligible.user_id
        AND categories.place = 1
),

sliced AS (
    SELECT snapshot_date, 'all' AS slice_kind, 'all' AS slice, back_after FROM customers
    UNION ALL
    SELECT snapshot_date, 'loyalty' AS slice_kind, loyalty AS slice, back_after FROM customers
    UNION ALL
    SELECT snapshot_date, 'category' AS slice_kind, category AS slice, back_after FROM customers WHERE category IS NOT NULL
),

judged AS (
    SELECT
        sliced.snapshot_date,
        sliced.slice_kind,
        sliced.slice,
        sliced.back_after,
        horizons.horizon_days,
        COALESCE(sliced.back_after >= horizons.horizon_days, TRUE) AS churned,
        date_diff('day', sliced.snapshot_date + $lead_days, CAST($newest_snapshot AS DATE)) AS seen_days
    FROM sliced
    CROSS JOIN (
        SELECT DISTINCT UNNEST([14, 30, 45, 60, 90, 120, 150, 180, $horizon_days]) AS horizon_days
    ) AS horizons
)

SELECT
    snapshot_date,
    horizon_days,
    slice_kind,
    slice,
    COUNT(*) AS eligible,
    COUNT(*) FILTER (WHERE churned) AS churned,
    COUNT(*) FILTER (WHERE churned AND back_after IS NOT NULL) AS came_back,
    MEDIAN(back_after) FILTER (WHERE churned) AS median_days_until_back
FROM judged
WHERE seen_days >= horizon_days
GROUP BY snapshot_date, horizon_days, slice_kind, slice
