-- grain: one record; rejection is NULL for a row that lands, else the reason, chr(31), the offending text
SELECT
  *,
  CASE
    WHEN broken IS NOT NULL THEN broken
    WHEN user_id IS NULL THEN 'missing user_id'
    -- a time becomes text again only in the branches of rejected rows
    WHEN event_time IS NULL
      THEN coalesce(
        'unreadable event_time' || chr(31) || nullif(trim(CAST(event_time_given AS VARCHAR)), ''),
        'missing event_time'
      )
    WHEN event_time < getvariable('earliest')
      THEN 'event_time too early' || chr(31) || trim(CAST(event_time_given AS VARCHAR))
    WHEN event_time > getvariable('latest')
      THEN 'event_time in the future' || chr(31) || trim(CAST(event_time_given AS VARCHAR))
    WHEN quantity IS NULL AND quantity_text IS NOT NULL THEN 'unreadable quantity' || chr(31) || quantity_text
    WHEN unit_price IS NULL AND unit_price_text IS NOT NULL THEN 'unreadable unit_price' || chr(31) || unit_price_text
    WHEN amount IS NULL AND amount_text IS NOT NULL THEN 'unreadable amount' || chr(31) || amount_text
    WHEN bad_number IS NOT NULL THEN 'unreadable number' || chr(31) || bad_number
    WHEN bad_properties IS NOT NULL THEN 'unreadable properties' || chr(31) || bad_properties
    WHEN event_type IS NULL THEN 'missing event_type'
  END AS rejection
FROM mapped
