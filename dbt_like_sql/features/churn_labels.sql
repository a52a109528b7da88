-- Whether a customer who was eligible at the snapshot stayed away for the whole label window
-- [S + lead, S + lead + horizon), by what had arrived when the window and its grace closed.
WITH eligible AS (
    SELECT user_id
    FROM user_days
    WHERE activities > 0
        AND event_date >= CAST($snapshot_date AS DATE) - $lookback_days
        AND event_date < $snapshot_date
        AND known_date <= $snapshot_date
    GROUP BY user_id
),

returned AS (
    SELECT
        user_id,
        MIN(event_date) AS next_activity_date
    FROM user_days
    WHERE activities > 0
        AND event_date >= CAST($snapshot_date AS DATE) + $lead_days
        AND event_date < CAST($snapshot_date AS DATE) + $lead_days + $horizon_days
        AND known_date <= CAST($snapshot_date AS DATE) + $lead_days + $horizon_days + $label_grace_days
    GROUP BY user_id
)

SELECT
    CAST($snapshot_date AS DATE) AS snapshot_date,
    eligible.user_id,
    returned.user_id IS NULL AS churned,
    returned.next_activity_date,
    CAST($snapshot_date AS DATE) + $lead_days AS window_start,
    CAST($snapshot_date AS DATE) + $lead_days + $horizon_days AS window_end,
    CAST($definition_version AS VARCHAR) AS definition_version
FROM eligible
LEFT JOIN returned ON returned.user_id = eligible.user_id
