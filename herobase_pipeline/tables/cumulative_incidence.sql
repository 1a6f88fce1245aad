-- Success against the other closures, by the week of the first dial and campaign, until the last day that is known.
WITH
cohorts AS (
    SELECT
        {'week': date_trunc('week', cohort_date)::DATE, 'campaign_id': first_dial_campaign_id} AS cohort,
        age,
        cause
    FROM lives('leads')
)
SELECT
    cohort.week AS cohort_week,
    cohort.campaign_id AS campaign_id,
    * EXCLUDE (cohort, effective)
FROM incidence('cohorts')
WHERE at_risk >= 10
