-- The scores of the newest snapshot.
SELECT
    snapshot_date,
    user_id,
    churn_probability,
    risk_percentile,
    risk_band,
    reason_1_code,
    reason_1_text,
    reason_1_contribution,
    reason_2_code,
    reason_2_text,
    reason_2_contribution,
    reason_3_code,
    reason_3_text,
    reason_3_contribution,
    expected_value,
    value_at_risk,
    scored_by,
    model_version,
    definition_version,
    horizon_days,
    expires_on
FROM churn_scores
WHERE snapshot_date = $newest_snapshot
