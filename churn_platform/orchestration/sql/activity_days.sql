-- The days on which a customer did what a product definition calls an activity, in the columns that churn_labels reads.
-- What is known today counts as known on its day.
-- grain: one customer and day
SELECT DISTINCT
    user_id,
    event_date,
    event_date AS known_date,
    1 AS activities
FROM stg_events
WHERE event_date < $newest_snapshot AND list_contains($activity, event_type)
