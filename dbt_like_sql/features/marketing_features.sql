-- How every customer stands to the shop's messages and discounts at the midnight that opens $snapshot_date.
WITH known AS (
    SELECT
        *,
        date_diff('day', event_date, CAST($snapshot_date AS DATE)) AS age
    FROM user_days
    WHERE event_date < $snapshot_date AND known_date <= $snapshot_date
)

SELECT
    CAST($snapshot_date AS DATE) AS snapshot_date,
    user_id,
    -- of a day with both, the refusal counts
    CASE
        WHEN MIN(age) FILTER (WHERE opt_outs > 0) <= COALESCE(MIN(age) FILTER (WHERE opt_ins > 0), 99999) THEN 1
        WHEN MIN(age) FILTER (WHERE opt_ins > 0) IS NOT NULL THEN 0
    END AS opted_out,
    MIN(age) FILTER (WHERE opt_outs > 0) AS opt_out_recency_days,
    CAST(COALESCE(SUM(logins) FILTER (WHERE age <= 30), 0) AS BIGINT) AS logins_30d,
    CAST(COALESCE(SUM(logins) FILTER (WHERE age <= 90), 0) AS BIGINT) AS logins_90d,
    CAST(COALESCE(SUM(campaign_exposures) FILTER (WHERE age <= 90), 0) AS BIGINT) AS campaign_exposures_90d,
    MIN(age) FILTER (WHERE campaign_exposures > 0) AS campaign_recency_days,
    CAST(COALESCE(SUM(campaign_responses) FILTER (WHERE age <= 90), 0) AS BIGINT) AS campaign_responses_90d,
    MIN(age) FILTER (WHERE campaign_responses > 0) AS response_recency_days,
    CAST(SUM(discount) FILTER (WHERE age <= 365) AS DOUBLE)
        / NULLIF(CAST(SUM(spend + discount) FILTER (WHERE age <= 365) AS DOUBLE), 0) AS discount_share_365d
FROM known
GROUP BY user_id
