-- What every customer did a year before the midnight that opens $snapshot_date: in the days that the label will look at,
-- one year earlier. Null for those who were no customers yet when that period began.
WITH known AS (
    SELECT
        *,
        date_diff('day', event_date, CAST($snapshot_date AS DATE)) AS age
    FROM user_days
    WHERE event_date < $snapshot_date AND known_date <= $snapshot_date
),

aged AS (
    SELECT
        user_id,
        MAX(age) AS tenure,
        COUNT(DISTINCT event_date) FILTER (
            WHERE activities > 0 AND age <= 365 - $lead_days AND age > 365 - $lead_days - $horizon_days
        ) AS active_days,
        COUNT(DISTINCT event_date) FILTER (WHERE activities > 0 AND age <= 365 + $lookback_days AND age > 365)
            AS active_days_before,
        COALESCE(SUM(CASE WHEN age <= 365 - $lead_days AND age > 365 - $lead_days - $horizon_days THEN spend END), 0) AS spend
    FROM known
    GROUP BY user_id
)

SELECT
    CAST($snapshot_date AS DATE) AS snapshot_date,
    user_id,
    CASE WHEN tenure >= 365 - $lead_days THEN active_days END AS active_days_same_period_last_year,
    CASE WHEN tenure >= 365 - $lead_days THEN CAST(spend AS DOUBLE) END AS spend_same_period_last_year,
    -- as the label would have judged it: eligible then, and back within the horizon or not
    CASE
        WHEN active_days_before = 0 THEN NULL
        WHEN active_days > 0 THEN 1
        ELSE 0
    END AS stayed_last_year
FROM aged
