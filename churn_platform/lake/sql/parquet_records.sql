-- grain: one row of the Parquet file, numbered from 1
SELECT
  * EXCLUDE (file_row_number),
  file_row_number + 1 AS __row
FROM read_parquet(getvariable('file'), file_row_number = true)
