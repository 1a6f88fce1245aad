-- How far the leads of each first-dial day had come at each age: what happened at each age, rolled up, then summed over age.
WITH
cohorts AS (
    SELECT
        * EXCLUDE (campaign_id),
        hash(first_dial_path) AS place,
        first_dial_campaign_id AS campaign_id,
        if(closed_date < cohort_date, 0, closed_date - cohort_date) AS closed_age,  -- 0 for one that was dialled although it was closed
        closure = 'Success' AS is_success,
        closure IN ('Success', 'NotInterested') AND attribution IN ('closing_call', 'last_contact') AS is_rpc
    FROM leads
    WHERE cohort_date IS NOT NULL AND versions > 0  -- nobody knows what became of a lead without a version
),
places AS (  -- where a lead was dialled first, by a number: to group all that happened by lists would be dear
    SELECT
        cohort_date,
        place,
        any_value(first_dial_path) AS org_path,
        arg_max(first_dial_names, (first_dial_at, first_dial_names)) AS org_names,
        max(first_dial_at) AS latest
    FROM cohorts
    GROUP BY cohort_date, place
),
happened AS (  -- counted by age for each kind: to unnest what each lead did would make nine rows of each
    SELECT cohort_date, place, campaign_id, 0 AS age, count(*) AS leads
    FROM cohorts
    GROUP BY ALL
    UNION ALL BY NAME
    SELECT cohort_date, place, campaign_id, local_day(first_completed_at) - cohort_date AS age, count(*) AS completed
    FROM cohorts
    GROUP BY ALL
    UNION ALL BY NAME
    SELECT cohort_date, place, campaign_id, local_day(first_contact_at) - cohort_date AS age, count(*) AS contacted
    FROM cohorts
    GROUP BY ALL
    UNION ALL BY NAME
    SELECT
        cohort_date,
        place,
        campaign_id,
        closed_age AS age,
        count(*) AS closed,
        count(*) FILTER (is_success) AS successes,
        count(*) FILTER (is_rpc) AS rpc
    FROM cohorts
    GROUP BY ALL
    UNION ALL BY NAME
    SELECT cohort_date, place, campaign_id, day - cohort_date AS age, count(*) AS attempts
    FROM (SELECT cohort_date, place, campaign_id, unnest(attempt_dates) AS day FROM cohorts)
    GROUP BY ALL
),
counts AS (
    SELECT
        cohort_date,
        place,
        campaign_id,
        CASE WHEN age <= 30 THEN age WHEN age <= 60 THEN 60 ELSE 90 END AS age_days,
        sum(COLUMNS(['leads', 'completed', 'contacted', 'closed', 'successes', 'rpc', 'attempts']))
    FROM happened
    WHERE age <= 90
    GROUP BY ALL
),
leaves AS (
    SELECT cohort_date AS day, org_path, org_names, latest, counts.* EXCLUDE (cohort_date, place)
    FROM counts JOIN places USING (cohort_date, place)
),
rolled AS MATERIALIZED (
    FROM rolled_up('leaves')
),
every_age AS (
    SELECT *, unnest(range(31) || [60, 90]) AS age_days
    FROM (SELECT DISTINCT day, org_level, org_path, org_key, org_code, org_name, campaign_id FROM rolled)
),
steps AS (
    SELECT
        day,
        org_level,
        org_path,
        org_key,
        org_code,
        org_name,
        campaign_id,
        age_days,
        sum(COLUMNS(['leads', 'completed', 'contacted', 'closed', 'successes', 'rpc', 'attempts']))
    FROM (FROM rolled UNION ALL BY NAME FROM every_age)
    GROUP BY ALL
),
counted AS (
    SELECT
        day AS cohort_date,
        org_level,
        org_path,
        org_key,
        org_code,
        org_name,
        campaign_id,
        age_days,
        coalesce(sum(leads) OVER so_far, 0) AS leads,
        coalesce(sum(completed) OVER so_far, 0) AS completed,
        coalesce(sum(contacted) OVER so_far, 0) AS contacted,
        coalesce(sum(closed) OVER so_far, 0) AS closed,
        coalesce(sum(successes) OVER so_far, 0) AS successes,
        coalesce(sum(rpc) OVER so_far, 0) AS rpc,
        coalesce(sum(attempts) OVER so_far, 0) AS attempts
    FROM steps
    WINDOW so_far AS (PARTITION BY day, org_path, campaign_id ORDER BY age_days)
    UNION ALL BY NAME
    SELECT * EXCLUDE (is_mature) FROM kept  -- the days of which no lead has changed
)
SELECT counted.*, coalesce(cohort_date + age_days::INTEGER <= through, false) AS is_mature
FROM counted LEFT JOIN complete_days ON day = cohort_date
