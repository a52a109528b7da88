-- What the rows of an event say, as one number; its place in a file and its arrival do not count.
-- grain: one event_id of the view raw_events
SELECT
  event_id,
  sum(hash(
    user_id, event_time, event_type, item_id, category, quantity, unit_price, amount, currency, order_id, session_id,
    channel, text, properties
  )) AS content
FROM raw_events
GROUP BY event_id
