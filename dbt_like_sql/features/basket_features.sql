-- What every customer's orders look like at the midnight that opens $snapshot_date: their size, price level and moment.
-- An order counts with the lines that were known by then.
WITH orders AS (
    SELECT
        user_id,
        order_id,
        MIN(order_date) AS order_date,
        MIN(order_hour) AS order_hour,
        SUM(order_lines) AS order_lines,
        SUM(quantity) AS quantity,
        SUM(amount) AS amount
    FROM fct_orders
    WHERE order_date < $snapshot_date AND known_date <= $snapshot_date
    GROUP BY user_id, order_id
),

-- 0 = Monday, counted from a Monday
placed AS (
    SELECT
        *,
        ((date_diff('day', DATE '2024-01-01', order_date) % 7) + 7) % 7 AS weekday,
        ROW_NUMBER() OVER (PARTITION BY user_id ORDER BY order_date DESC, order_id) AS place
    FROM orders
)

SELECT
    CAST($snapshot_date AS DATE) AS snapshot_date,
    user_id,
    SUM(order_lines) / CAST(COUNT(*) AS DOUBLE) AS lines_per_order,
    CAST(SUM(quantity) AS DOUBLE) / COUNT(*) AS items_per_order,
    CAST(SUM(amount) AS DOUBLE) / COUNT(*) AS value_per_order,
    CAST(SUM(amount) AS DOUBLE) / NULLIF(CAST(SUM(quantity) AS DOUBLE), 0) AS price_level,
    CAST(MAX(amount) AS DOUBLE) AS largest_order,
    CAST(SUM(CASE WHEN place = 1 THEN amount END) AS DOUBLE) * COUNT(*) / NULLIF(CAST(SUM(amount) AS DOUBLE), 0)
        AS latest_order_over_mean,
    COUNT(*) FILTER (WHERE weekday >= 5) / CAST(COUNT(*) AS DOUBLE) AS weekend_order_share,
    COUNT(*) FILTER (WHERE order_hour >= 17) / CAST(COUNT(*) AS DOUBLE) AS evening_order_share
FROM placed
GROUP BY user_id
