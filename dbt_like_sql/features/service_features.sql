-- What every customer went through with the shop's service at the midnight that opens $snapshot_date, and whether they came
-- back after it. 'Since' a day counts the days after it.
WITH known AS NOT MATERIALIZED (
    SELECT
        user_id,
        event_date,
        date_diff('day', event_date, CAST($snapshot_date AS DATE)) AS age,
        activities,
        support_contacts,
        unresolved_contacts,
        returns,
        reviews,
        low_ratings
    FROM user_days
    WHERE event_date < $snapshot_date AND known_date <= $snapshot_date
),

latest AS (
    SELECT
        user_id,
        MIN(age) FILTER (WHERE activities > 0) AS activity_age,
        MIN(age) FILTER (WHERE support_contacts > 0) AS contact_age,
        MIN(age) FILTER (WHERE unresolved_contacts > 0) AS unresolved_age,
        MIN(age) FILTER (WHERE reviews > 0) AS review_age
    FROM known
    GROUP BY user_id
),

incidents AS (
    SELECT
        known.user_id,
        CAST(SUM(unresolved_contacts) FILTER (WHERE age <= 90) AS BIGINT) AS unresolved_90d,
        CAST(SUM(unresolved_contacts) FILTER (WHERE age <= 365) AS BIGINT) AS unresolved_365d,
        CAST(SUM(support_contacts) FILTER (WHERE age < activity_age) AS BIGINT) AS contacts_since_activity,
        CAST(SUM(unresolved_contacts) FILTER (WHERE age < activity_age) AS BIGINT) AS unresolved_since_activity,
        CAST(SUM(returns) FILTER (WHERE age < activity_age) AS BIGINT) AS returns_since_activity,
        CAST(SUM(reviews) FILTER (WHERE age <= 365) AS BIGINT) AS reviews_365d,
        CAST(SUM(low_ratings) FILTER (WHERE age <= 365) AS BIGINT) AS low_ratings_365d
    FROM known
    INNER JOIN latest ON latest.user_id = known.user_id
    WHERE support_contacts > 0 OR returns > 0 OR reviews > 0
    GROUP BY known.user_id
),

returned AS (
    SELECT
        known.user_id,
        COUNT(DISTINCT event_date) AS active_days
    FROM known
    INNER JOIN latest ON latest.user_id = known.user_id
    WHERE activities > 0 AND age < unresolved_age
    GROUP BY known.user_id
)

SELECT
    CAST($snapshot_date AS DATE) AS snapshot_date,
    latest.user_id,
    COALESCE(unresolved_90d, 0) AS unresolved_contacts_90d,
    COALESCE(unresolved_365d, 0) AS unresolved_contacts_365d,
    unresolved_age AS unresolved_recency_days,
    CASE WHEN contact_age IS NOT NULL THEN CAST(COALESCE(unresolved_age = contact_age, FALSE) AS INTEGER) END
        AS latest_contact_unresolved,
    CASE WHEN activity_age IS NOT NULL THEN COALESCE(contacts_since_activity, 0) END AS contacts_since_activity,
    CASE WHEN activity_age IS NOT NULL THEN COALESCE(unresolved_since_activity, 0) END AS unresolved_since_activity,
    CASE WHEN unresolved_age IS NOT NULL THEN COALESCE(active_days, 0) END AS active_days_since_unresolved,
    CASE WHEN activity_age IS NOT NULL THEN COALESCE(returns_since_activity, 0) END AS returns_since_activity,
    COALESCE(reviews_365d, 0) AS reviews_365d,
    COALESCE(low_ratings_365d, 0) AS low_ratings_365d,
    review_age AS review_recency_days
FROM latest
LEFT JOIN incidents ON incidents.user_id = latest.user_id
LEFT JOIN returned ON returned.user_id = latest.user_id
