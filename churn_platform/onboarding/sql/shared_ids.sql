-- grain: one row: the number of event ids that records share although they differ in more than their place in a file
SELECT count(*) AS shared_ids
FROM (
  SELECT event_id
  FROM (
    SELECT
      event_id,
      hash(
        user_id, event_time, event_type, item_id, category, quantity, unit_price, amount, currency, order_id, session_id,
        channel, text, properties
      ) AS content
    FROM raw_events
  )
  GROUP BY event_id
  HAVING min(content) <> max(content)
)
