-- grain: one record, with the rules of the canonical event applied: a priced-zero purchase is an adjustment, the amount
-- defaults to quantity times price, and known_at is the arrival (live) or the event's own time (history)
SELECT
  * REPLACE (
    CASE
      WHEN event_type = 'purchase' AND (quantity <= 0 OR unit_price <= 0 OR amount <= 0) THEN 'adjustment'
      ELSE event_type
    END AS event_type,
    coalesce(amount, TRY_CAST(quantity * unit_price AS DECIMAL(18, 4))) AS amount
  ),
  coalesce(getvariable('arrived_at'), event_time) AS known_at,
  CASE WHEN rejection IS NULL THEN coalesce(getvariable('arrival_day'), event_day) END AS known_date
FROM judged
