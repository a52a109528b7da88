-- grain: one event_id of the withdrawn file, of the corrected one, or of both
SELECT
  event_id,
  CASE
    WHEN after_file.content IS NULL THEN 'removed'
    WHEN before_file.content IS NULL THEN 'added'
    WHEN before_file.content <> after_file.content THEN 'changed'
    ELSE 'unchanged'
  END AS change
FROM before_file
FULL JOIN after_file USING (event_id)
