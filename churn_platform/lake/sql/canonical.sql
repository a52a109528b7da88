-- grain: one record of the file: the canonical event with its arrival day. A rejected record has no arrival day and carries
-- its reason in event_type and its original in properties, so that landed fragments hold the canonical columns and no more
SELECT
  coalesce(
    event_id,
    md5(concat(
      'user_id=' || user_id,
      chr(31) || 'event_time=' || epoch_us(event_time),
      chr(31) || 'event_type=' || event_type,
      chr(31) || 'item_id=' || item_id,
      chr(31) || 'category=' || category,
      chr(31) || 'quantity=' || quantity,
      chr(31) || 'unit_price=' || unit_price,
      chr(31) || 'amount=' || amount,
      chr(31) || 'currency=' || currency,
      chr(31) || 'order_id=' || order_id,
      chr(31) || 'session_id=' || session_id,
      chr(31) || 'channel=' || channel,
      chr(31) || 'text=' || "text",
      chr(31) || 'properties=' || properties,
      -- two equal elements of one array are two things
      chr(31) || 'element=' || element
    ))
  ) AS event_id,
  user_id,
  event_time,
  known_at,
  coalesce(rejection, event_type) AS event_type,
  item_id,
  category,
  quantity,
  unit_price,
  amount,
  currency,
  order_id,
  session_id,
  channel,
  "text",
  -- new columns are no part of the id: a file sent again with one more column holds the same events. A property that the
  -- mapping makes wins over a column of its name
  CASE
    WHEN rejection IS NOT NULL THEN CAST(to_json(record) AS VARCHAR)
    WHEN kept IS NULL THEN properties
    WHEN properties IS NULL THEN kept
    WHEN json_type(properties) <> 'OBJECT'
      THEN CAST(json_merge_patch(kept, json_object('properties', CAST(properties AS JSON))) AS VARCHAR)
    ELSE CAST(json_merge_patch(properties, json_merge_patch(kept, properties)) AS VARCHAR)
  END AS properties,
  getvariable('source_name') AS source,
  getvariable('source_file') AS source_file,
  __row AS source_row,
  known_date
FROM typed
