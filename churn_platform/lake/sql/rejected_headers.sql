-- grain: one row of a header file that cannot be a header
SELECT
  getvariable('source_file') AS source_file,
  __row AS source_row,
  split_part(__rejection, chr(31), 1) AS reason,
  nullif(substring(__rejection, length(split_part(__rejection, chr(31), 1)) + 2), '') AS detail,
  CAST(to_json(__record) AS VARCHAR) AS original
FROM keyed
WHERE __rejection IS NOT NULL
