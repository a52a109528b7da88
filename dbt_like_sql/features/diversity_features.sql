-- How varied every customer's purchases are at the midnight that opens $snapshot_date. Sums of logarithms are DECIMAL, so
-- that they do not depend on the order of the rows.
WITH bought AS (
    SELECT
        user_id,
        item_id,
        date_diff('day', event_date, CAST($snapshot_date AS DATE)) AS age
    FROM user_items
    WHERE event_date < $snapshot_date AND known_date <= $snapshot_date
),

by_item AS (
    SELECT
        user_id,
        item_id,
        MIN(age) AS latest_age,
        MAX(age) AS earliest_age,
        MAX(age) FILTER (WHERE age <= 365) AS earliest_age_365d
    FROM bought
    GROUP BY user_id, item_id
),

items AS (
    SELECT
        user_id,
        COUNT(*) AS items_total,
        COUNT(*) FILTER (WHERE latest_age <= 90) AS items_90d,
        COUNT(*) FILTER (WHERE latest_age <= 365) AS items_365d,
        COUNT(*) FILTER (WHERE earliest_age_365d > latest_age) AS repeated_365d,
        COUNT(*) FILTER (WHERE earliest_age <= 90) AS new_90d
    FROM by_item
    GROUP BY user_id
),

by_category AS (
    SELECT
        user_id,
        category,
        CAST(SUM(purchases) AS BIGINT) AS purchases
    FROM user_categories
    WHERE event_date < $snapshot_date
        AND event_date >= CAST($snapshot_date AS DATE) - 365
        AND known_date <= $snapshot_date
    GROUP BY user_id, category
),

categories AS (
    SELECT
        user_id,
        COUNT(*) AS categories_365d,
        MAX(purchases) / CAST(SUM(purchases) AS DOUBLE) AS favourite_category_share_365d,
        -- Shannon's entropy in nats: ln N - sum of n ln n, over N
        GREATEST(
            LN(SUM(purchases)) - CAST(SUM(CAST(purchases * LN(purchases) AS DECIMAL(38, 18))) AS DOUBLE) / SUM(purchases),
            0
        ) AS category_entropy_365d
    FROM by_category
    GROUP BY user_id
)

SELECT
    CAST($snapshot_date AS DATE) AS snapshot_date,
    COALESCE(items.user_id, categories.user_id) AS user_id,
    items.items_total,
    items.items_90d,
    items.items_365d,
    items.repeated_365d / CAST(NULLIF(items.items_365d, 0) AS DOUBLE) AS repeated_item_share_365d,
    items.new_90d / CAST(NULLIF(items.items_90d, 0) AS DOUBLE) AS new_item_share_90d,
    categories.categories_365d,
    categories.favourite_category_share_365d,
    categories.category_entropy_365d
FROM items
FULL OUTER JOIN categories ON categories.user_id = items.user_id
