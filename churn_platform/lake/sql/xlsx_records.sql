-- grain: one row of the sheet below its header that holds anything, as text, numbered from 1, blank rows counted
SELECT *
FROM (
  SELECT
    *,
    row_number() OVER () AS __row
  FROM read_xlsx(
    getvariable('workbook'),
    sheet = getvariable('sheet'),
    header = true,
    all_varchar = true,
    stop_at_empty = false
  )
)
WHERE concat(*COLUMNS(* EXCLUDE (__row))) <> ''
