-- grain: one well-formed record of the CSV file, in file order; malformed ones go to the table reject_errors
SELECT
  *,
  row_number() OVER () AS __row
FROM read_csv(
  getvariable('file'),
  auto_detect = false,
  header = true,
  columns = getvariable('columns'),
  delim = getvariable('delimiter'),
  quote = getvariable('quote'),
  escape = getvariable('escape'),
  strict_mode = true,
  encoding = 'utf-8',
  compression = getvariable('compression'),
  store_rejects = true,
  rejects_limit = 0
)
