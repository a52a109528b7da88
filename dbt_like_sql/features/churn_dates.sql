-- When each labelled customer's first silence of a whole label window began, as far as that is known today.
-- A silence beginning on day t is an empty window [t, t + horizon), judged as the label of t would be: by what had
-- arrived when the window and its grace closed. So what was once known never changes, however late a file comes.
WITH active_days AS (
    SELECT
        user_id,
        event_date,
        date_diff('day', CAST('2000-01-01' AS DATE), event_date) AS day_number,
        MIN(known_date) AS known_date
    FROM user_days
    WHERE activities > 0
    GROUP BY user_id, event_date
),

followed AS (
    SELECT
        user_id,
        event_date,
        known_date,
        MIN(known_date) OVER (
            PARTITION BY user_id
            ORDER BY day_number
            RANGE BETWEEN 1 FOLLOWING AND $horizon_days FOLLOWING
        ) AS next_known_date
    FROM active_days
),

-- The window of the active day itself and that of the day after, each with the day on which it closes.
closings AS (
    SELECT
        user_id,
        event_date + 1 AS begins_on,
        known_date,
        next_known_date,
        event_date + $horizon_days
        + CASE WHEN event_date + $horizon_days <= $history_watermark THEN 0 ELSE $live_grace_days END AS own_closing,
        event_date + 1 + $horizon_days
        + CASE WHEN event_date + 1 + $horizon_days <= $history_watermark THEN 0 ELSE $live_grace_days END AS closing
    FROM followed
),

-- Closed means on or before the watermark, the day before the newest snapshot. An activity that came too late for every
-- window that holds it ends no silence.
silences AS (
    SELECT
        user_id,
        begins_on
    FROM closings
    WHERE closing < $newest_snapshot
        AND known_date <= own_closing
        AND (next_known_date IS NULL OR next_known_date > closing)
),

first_silences AS (
    SELECT
        churn_labels.snapshot_date,
        churn_labels.user_id,
        MIN(silences.begins_on) AS begins_on
    FROM churn_labels
    INNER JOIN silences ON silences.user_id = churn_labels.user_id AND silences.begins_on > churn_labels.window_start
    GROUP BY churn_labels.snapshot_date, churn_labels.user_id
)

SELECT
    churn_labels.snapshot_date,
    churn_labels.user_id,
    CASE WHEN churn_labels.churned THEN churn_labels.window_start ELSE first_silences.begins_on END AS churned_on,
    churn_labels.window_start AS observed_from,
    CASE
        WHEN $history_watermark >= CAST($newest_snapshot AS DATE) - 1 THEN CAST($newest_snapshot AS DATE) - 1
        WHEN $history_watermark >= CAST($newest_snapshot AS DATE) - 1 - $live_grace_days THEN CAST($history_watermark AS DATE)
        ELSE CAST($newest_snapshot AS DATE) - 1 - $live_grace_days
    END - $horizon_days AS observed_until
FROM churn_labels
LEFT JOIN first_silences
    ON first_silences.snapshot_date = churn_labels.snapshot_date AND first_silences.user_id = churn_labels.user_id
WHERE list_contains($training_snapshots, churn_labels.snapshot_date)
