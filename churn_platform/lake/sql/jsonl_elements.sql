-- grain: one element of the array at $unnest of a line, numbered from 1; a line without one, or with an empty one, once.
-- `record` is the line without its array. Everything about the line stands in the query below the one that unnests: DuckDB
-- evaluates an expression beside unnest() once an element, on a copy of the line (45,000 elements in 2 MB took gigabytes)
SELECT
  is_object,
  fields,
  record,
  CASE
    WHEN broken IS NOT NULL THEN broken
    WHEN getvariable('not_an_object') IS NOT NULL AND is_element AND coalesce(json_type(element), 'NULL') <> 'OBJECT'
      THEN getvariable('not_an_object') || chr(31) || coalesce(CAST(element AS VARCHAR), 'null')
  END AS broken,
  element,
  json_extract_string(element, getvariable('element_pointers')) AS element_fields,
  CASE WHEN element IS NOT NULL THEN element_number END AS element_number,
  __row
FROM (
  SELECT
    is_object,
    fields,
    record,
    broken,
    unnest(elements) AS element,
    unnest(numbers) AS element_number,
    is_element,
    __row
  FROM (
    SELECT
      is_object,
      fields,
      CASE WHEN len(elements) > 0 THEN CAST(json_merge_patch(line, getvariable('without_elements')) AS VARCHAR) ELSE line END
      AS record,
      CASE
        WHEN NOT is_object THEN 'broken JSON' || chr(31) || line
        WHEN kind NOT IN ('ARRAY', 'NULL')
          THEN getvariable('not_an_array') || chr(31) || CAST(json_extract(line, getvariable('unnest')) AS VARCHAR)
      END AS broken,
      CASE WHEN len(elements) > 0 THEN elements ELSE [CAST(NULL AS JSON)] END AS elements,
      range(1, greatest(len(elements), 1) + 1) AS numbers,
      len(elements) > 0 AS is_element,
      __row
    FROM (
      SELECT
        *,
        CASE WHEN kind = 'ARRAY' THEN CAST(json_extract(line, getvariable('unnest')) AS JSON[]) ELSE [] END AS elements
      FROM (
        SELECT
          *,
          CASE WHEN is_object THEN json_type(line, getvariable('unnest')) END AS kind
        FROM lines
      )
    )
  )
)
