-- What two product definitions say of each customer whom at least one calls eligible at $snapshot_date, and whether
-- those called churned came back after the window.
-- grain: one customer
WITH judged AS (
    SELECT
        user_id,
        BOOL_OR(
            is_current AND event_date >= CAST($snapshot_date AS DATE) - $current_lookback AND event_date < $snapshot_date
        ) AS current_eligible,
        BOOL_OR(
            is_current
            AND event_date >= CAST($snapshot_date AS DATE) + $current_lead
            AND event_date < CAST($snapshot_date AS DATE) + $current_lead + $current_horizon
        ) AS current_stayed,
        BOOL_OR(is_current AND event_date >= CAST($snapshot_date AS DATE) + $current_lead + $current_horizon) AS current_later,
        BOOL_OR(
            is_other AND event_date >= CAST($snapshot_date AS DATE) - $other_lookback AND event_date < $snapshot_date
        ) AS other_eligible,
        BOOL_OR(
            is_other
            AND event_date >= CAST($snapshot_date AS DATE) + $other_lead
            AND event_date < CAST($snapshot_date AS DATE) + $other_lead + $other_horizon
        ) AS other_stayed,
        BOOL_OR(is_other AND event_date >= CAST($snapshot_date AS DATE) + $other_lead + $other_horizon) AS other_later
    FROM activity_days
    GROUP BY user_id
)

SELECT
    CAST($snapshot_date AS DATE) AS snapshot_date,
    user_id,
    CASE WHEN NOT current_eligible THEN 'not eligible' WHEN current_stayed THEN 'stayed' ELSE 'churned' END AS current,
    CASE WHEN NOT other_eligible THEN 'not eligible' WHEN other_stayed THEN 'stayed' ELSE 'churned' END AS other,
    current_eligible AND NOT current_stayed AND current_later AS current_came_back,
    other_eligible AND NOT other_stayed AND other_later AS other_came_back
FROM judged
WHERE current_eligible OR other_eligible
ORDER BY user_id
