-- grain: as `records`; the number of each record made to count the malformed records before it as well
SELECT
  records.* REPLACE (records.__row + coalesce(skipped.rejected, 0) AS __row)
FROM records
ASOF LEFT JOIN skipped
  ON records.__row >= skipped.from_row
