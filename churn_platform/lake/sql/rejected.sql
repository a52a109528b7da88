-- grain: one rejected record, as `canonical` carries it
SELECT
  source_file,
  source_row,
  split_part(event_type, chr(31), 1) AS reason,
  nullif(substring(event_type, length(split_part(event_type, chr(31), 1)) + 2), '') AS detail,
  properties AS original
FROM read_parquet(getvariable('rejected_parts'), hive_partitioning = false)
