-- grain: one element of the array at $unnest of a line, numbered from 1; a line without one, or with an empty one, once
SELECT
  line,
  is_object,
  is_array,
  fields,
  surrounding,
  element,
  json_extract_string(element, getvariable('element_pointers')) AS element_fields,
  CASE WHEN element IS NOT NULL THEN element_number END AS element_number,
  __row
FROM (
  SELECT
    line,
    is_object,
    coalesce(kind, 'NULL') IN ('ARRAY', 'NULL') AS is_array,
    fields,
    -- parsed once a line, not once an element
    CASE
      WHEN len(elements) > 0 THEN CAST(json_merge_patch(line, getvariable('without_elements')) AS VARCHAR)
      ELSE line
    END AS surrounding,
    unnest(CASE WHEN len(elements) > 0 THEN elements ELSE [CAST(NULL AS JSON)] END) AS element,
    unnest(range(1, greatest(len(elements), 1) + 1)) AS element_number,
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
