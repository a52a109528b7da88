-- grain: one staged event of the file
SELECT *
FROM read_parquet(getvariable('landed'), hive_partitioning = true, hive_types = {'known_date': DATE})
