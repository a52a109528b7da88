-- The days on which a customer did what either of two product definitions calls an activity, by all that is known today.
-- grain: one customer and day
SELECT
    user_id,
    event_date,
    BOOL_OR(list_contains($current_activity, event_type)) AS is_current,
    BOOL_OR(list_contains($other_activity, event_type)) AS is_other
FROM stg_events
WHERE event_date < $newest_snapshot
    AND (list_contains($current_activity, event_type) OR list_contains($other_activity, event_type))
GROUP BY user_id, event_date
