-- fct_orders of the customers with late rows, as it was known, or ($late) as if the late rows had been there in time.
SELECT lines.* REPLACE (CASE WHEN $late THEN least(lines.known_date, $snapshot_date) ELSE lines.known_date END AS known_date)
FROM past.fct_orders AS lines
SEMI JOIN late_users USING (user_id)
WHERE lines.order_date < $snapshot_date
