-- What every customer went through with the shop's service at the midnight that opens $snapshot_date, and whether they came
-- back after it. 'Since' a day counts the days after it.
WITH known AS (
    SELECT
        *,
        date_diff('day', event_date, CAST($snapshot_date AS DATE)) AS age
    FROM user_days
    WHERE event_date < $snapshot_date AND known_date <= $snapshot_date
),

latest AS (
    SELECT
        user_id,
        MIN(age) FILTER (WHERE activities > 0) AS activity_age,
        MIN(age) FILTER (WHERE support_contacts > 0) AS contact_age,
        MIN(age) FILTER (WHERE unresolved_contacts > 0) AS unresolved_age
    FROM known
    GROUP BY user_id
)

SELECT
    CAST($snapshot_date AS DATE) AS snapshot_date,
    known.user_id,
    CAST(COALESCE(SUM(unresolved_contacts) FILTER (WHERE age <= 90), 0) AS BIGINT) AS unresolved_contacts_90d,
    CAST(COALESCE(SUM(unresolved_contacts) FILTER (WHERE age <= 365), 0) AS BIGINT) AS unresolved_contacts_365d,
    MIN(unresolved_age) AS unresolved_recency_days,
    CASE WHEN MIN(contact_age) IS NOT NULL
        THEN CAST(COALESCE(MIN(unresolved_age) = MIN(contact_age), FALSE) AS INTEGER)
    END AS latest_contact_unresolved,
    CASE WHEN MIN(activity_age) IS NOT NULL
        THEN CAST(COALESCE(SUM(support_contacts) FILTER (WHERE age < activity_age), 0) AS BIGINT)
    END AS contacts_since_activity,
    CASE WHEN MIN(activity_age) IS NOT NULL
        THEN CAST(COALESCE(SUM(unresolved_contacts) FILTER (WHERE age < activity_age), 0) AS BIGINT)
    END AS unresolved_since_activity,
    CASE WHEN MIN(unresolved_age) IS NOT NULL
        THEN COUNT(DISTINCT event_date) FILTER (WHERE activities > 0 AND age < unresolved_age)
    END AS active_days_since_unresolved,
    CASE WHEN MIN(activity_age) IS NOT NULL
        THEN CAST(COALESCE(SUM(returns) FILTER (WHERE age < activity_age), 0) AS BIGINT)
    END AS returns_since_activity,
    CAST(COALESCE(SUM(reviews) FILTER (WHERE age <= 365), 0) AS BIGINT) AS reviews_365d,
    CAST(COALESCE(SUM(low_ratings) FILTER (WHERE age <= 365), 0) AS BIGINT) AS low_ratings_365d,
    MIN(age) FILTER (WHERE reviews > 0) AS review_recency_days
FROM known
INNER JOIN latest ON latest.user_id = known.user_id
GROUP BY known.user_id
