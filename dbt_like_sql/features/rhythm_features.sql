-- Whether every customer keeps to the own rhythm at the midnight that opens $snapshot_date, and whether activity grows or
-- fades. An activity a days ago counts 0.5 ^ (a / h) at a half-life of h days; such sums are DECIMAL, so that they do not
-- depend on the order of the rows.
WITH days AS (
    SELECT
        user_id,
        date_diff('day', event_date, CAST($snapshot_date AS DATE)) AS age,
        SUM(spend) AS spend
    FROM user_days
    WHERE event_date < $snapshot_date AND known_date <= $snapshot_date AND (activities > 0 OR spend > 0)
    GROUP BY user_id, event_date
    HAVING SUM(activities) > 0
),

stepped AS (
    SELECT
        user_id,
        age,
        spend,
        LEAD(age) OVER latest_first - age AS gap,
        (age - 1) // 30 IS DISTINCT FROM (LEAD(age) OVER latest_first - 1) // 30 AS opens_month,
        ROW_NUMBER() OVER latest_first AS place,
        FIRST_VALUE(age) OVER latest_first AS recency
    FROM days
    WINDOW latest_first AS (PARTITION BY user_id ORDER BY age)
)

SELECT
    CAST($snapshot_date AS DATE) AS snapshot_date,
    user_id,
    COUNT(*) FILTER (WHERE opens_month) AS active_months_total,
    COUNT(*) FILTER (WHERE opens_month AND age <= 360) AS active_months_360d,
    CAST(SUM(CAST(POWER(0.5, age / 30.0) AS DECIMAL(18, 12))) AS DOUBLE) AS decayed_activity_30d,
    CAST(SUM(CAST(POWER(0.5, age / 90.0) AS DECIMAL(18, 12))) AS DOUBLE) AS decayed_activity_90d,
    CAST(SUM(CAST(CAST(spend AS DOUBLE) * POWER(0.5, age / 90.0) AS DECIMAL(38, 6))) AS DOUBLE) AS decayed_spend_90d,
    CASE WHEN COUNT(*) FILTER (WHERE age <= 60) > 0
        THEN COUNT(*) FILTER (WHERE age <= 30) / CAST(COUNT(*) FILTER (WHERE age <= 60) AS DOUBLE)
    END AS activity_share_30d_of_60d,
    CASE WHEN COUNT(*) FILTER (WHERE age <= 180) > 0
        THEN COUNT(*) FILTER (WHERE age <= 90) / CAST(COUNT(*) FILTER (WHERE age <= 180) AS DOUBLE)
    END AS activity_share_90d_of_180d,
    -- the sample standard deviation from whole-number sums, over the mean
    CASE WHEN COUNT(gap) > 1
        THEN SQRT((SUM(gap * gap) * COUNT(gap) - SUM(gap) * SUM(gap)) / (COUNT(gap) * (COUNT(gap) - 1))) / AVG(gap)
    END AS gap_variation,
    AVG(gap) FILTER (WHERE place <= 3) AS mean_latest_3_gaps_days,
    CASE WHEN COUNT(gap) > 3 THEN AVG(gap) FILTER (WHERE place <= 3) / AVG(gap) END AS gap_trend,
    MAX(recency) / AVG(gap) AS recency_over_mean_gap,
    MAX(recency) / CAST(MAX(gap) AS DOUBLE) AS recency_over_longest_gap,
    CASE WHEN COUNT(gap) > 0 THEN EXP(-MAX(recency) / AVG(gap)) END AS silence_survival,
    -- Laplace's rule of succession
    (COUNT(*) FILTER (WHERE gap >= recency) + 1) / CAST(COUNT(gap) + 2 AS DOUBLE) AS share_of_longer_gaps
FROM stepped
GROUP BY user_id
