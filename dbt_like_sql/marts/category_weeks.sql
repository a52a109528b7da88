-- What was bought of every category in each whole week, Monday to Sunday, before $newest_snapshot.
WITH known AS (
    SELECT
        category,
        CAST(date_trunc('week', event_date) AS DATE) AS week_start,
        MIN(event_date) OVER () AS first_day,
        purchases,
        quantity,
        amount
    FROM user_categories
    WHERE event_date < $newest_snapshot AND known_date <= $newest_snapshot
)

SELECT
    category,
    week_start,
    CAST(SUM(purchases) AS BIGINT) AS purchases,
    CAST(SUM(quantity) AS DOUBLE) AS quantity,
    CAST(SUM(amount) AS DOUBLE) AS amount
FROM known
WHERE week_start >= first_day AND week_start + 7 <= $newest_snapshot
GROUP BY category, week_start
