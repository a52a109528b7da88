-- grain: one row: the shop-local days of the first and the last event
SELECT
  CAST(timezone(getvariable('shop_zone'), timezone('UTC', min(event_time))) AS DATE) AS first_event_day,
  CAST(timezone(getvariable('shop_zone'), timezone('UTC', max(event_time))) AS DATE) AS last_event_day
FROM landed
