-- user_days of the customers with late rows, as it was known, or ($late) as if the late rows had been there in time.
SELECT days.* REPLACE (CASE WHEN $late THEN least(days.known_date, $snapshot_date) ELSE days.known_date END AS known_date)
FROM past.user_days AS days
SEMI JOIN late_users USING (user_id)
WHERE days.event_date < $snapshot_date
