-- Who is in which segment at the newest snapshot, and in which one they were at the one before.
WITH earlier AS (
    SELECT MAX(snapshot_date) AS compared_with
    FROM customer_segments
    WHERE snapshot_date < $newest_snapshot
),

before AS (
    SELECT
        customer_segments.user_id,
        customer_segments.segment
    FROM customer_segments
    INNER JOIN earlier ON earlier.compared_with = customer_segments.snapshot_date
)

SELECT
    CAST($newest_snapshot AS DATE) AS snapshot_date,
    earlier.compared_with,
    COALESCE(before.segment, 'no purchase yet') AS from_segment,
    customer_segments.segment AS to_segment,
    COUNT(*) AS customers
FROM customer_segments
INNER JOIN earlier ON earlier.compared_with < customer_segments.snapshot_date
LEFT JOIN before ON before.user_id = customer_segments.user_id
WHERE customer_segments.snapshot_date = $newest_snapshot
GROUP BY earlier.compared_with, before.segment, customer_segments.segment
