-- grain: one staged event of the file
SELECT
  event_type,
  event_time,
  known_date
FROM read_parquet(getvariable('landed'), hive_partitioning = true, hive_types = {'known_date': DATE})
