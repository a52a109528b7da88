-- What the rows of an event say, as one number; their places in a file and their arrival do not count, their order does:
-- it decides which of several rows of one event_id holds.
-- grain: one event_id of the view raw_events
SELECT
  event_id,
  hash(list(hash(
    user_id, event_time, event_type, item_id, category, quantity, unit_price, amount, currency, order_id, session_id,
    channel, text, properties
  ) ORDER BY source_row)) AS content
FROM raw_events
GROUP BY event_id
