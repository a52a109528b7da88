-- grain: one line of the JSON Lines file that holds more than blanks, numbered by all lines, parsed when it is an object
SELECT
  line,
  is_object,
  CASE WHEN is_object THEN json_extract_string(line, getvariable('pointers')) END AS fields,
  __row
FROM (
  SELECT
    line,
    coalesce(CASE WHEN json_valid(line) THEN json_type(line) = 'OBJECT' END, false) AS is_object,
    __row
  FROM (
    SELECT
      line,
      row_number() OVER () AS __row
    FROM read_csv(
      getvariable('file'),
      auto_detect = false,
      header = false,
      columns = {'line': 'VARCHAR'},
      delim = '',
      quote = '',
      escape = '',
      strict_mode = false,
      encoding = 'utf-8',
      compression = getvariable('compression'),
      store_rejects = true,
      rejects_limit = 0
    )
  )
  WHERE trim(line, chr(32) || chr(9) || chr(13)) <> ''
)
