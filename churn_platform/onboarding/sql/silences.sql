-- grain: one silence: from a customer's active day to the next one (ended) or to the last day of the data (still open)
SELECT
  date_diff('day', day, coalesce(next_day, getvariable('last_day'))) AS days,
  next_day IS NOT NULL AS ended
FROM (
  SELECT
    day,
    lead(day) OVER (PARTITION BY user_id ORDER BY day) AS next_day
  FROM (
    SELECT DISTINCT
      user_id,
      CAST(event_time AS DATE) AS day
    FROM raw_events
    WHERE list_contains(getvariable('activity'), event_type)
  )
)
