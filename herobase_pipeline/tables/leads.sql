-- Every lead once, from all its versions and all its calls, whatever the order in which days were pulled.
WITH
versions AS (
    SELECT
        *,
        -- a status that is not documented closes nothing (trap T23)
        coalesce(status IN ('UserProcessed', 'Depleted', 'Abandoned', 'Failed', 'Expired', 'Removed', 'Anonymized',
            'DoNotCall', 'GlobalDoNotCall'), false) AS is_closed,
        coalesce(status IN ('Removed', 'Anonymized', 'DoNotCall', 'GlobalDoNotCall'), false) AS is_withdrawn
    FROM simple_leads
),
current AS (
    SELECT * FROM versions
    QUALIFY row_number() OVER (PARTITION BY lead_id ORDER BY last_modified_at DESC, observed_at DESC, hash(versions)) = 1
),
history AS (
    SELECT
        lead_id,
        count(DISTINCT last_modified_at) AS versions,
        bool_or(status = 'Anonymized') AS erased,
        max(last_modified_at) FILTER (NOT is_closed) AS last_open_at
    FROM versions
    GROUP BY lead_id
),
closed AS (  -- a lead that was re-opened closes anew (trap T12)
    SELECT versions.*
    FROM versions
    JOIN history USING (lead_id)
    WHERE is_closed AND (last_open_at IS NULL OR last_modified_at > last_open_at)
),
closings AS (  -- a later edit of a closed lead is no second closing (trap T11)
    SELECT lead_id, min(last_modified_at) AS first_closed_at FROM closed GROUP BY lead_id
),
decided AS (  -- how it was closed stands when the lead is withdrawn or erased later: history does not move
    SELECT lead_id, status, closure, first_processed_by, last_modified_by
    FROM closed
    QUALIFY row_number() OVER (
        PARTITION BY lead_id ORDER BY is_withdrawn, last_modified_at DESC, observed_at DESC, hash(closed)
    ) = 1
),
legs AS (
    SELECT *, coalesce(end_cause = 'NormalDisconnect', false) AS is_contact
    FROM calls
    WHERE lead_id IS NOT NULL AND coalesce(call_status <> 'Transferred', true)
),
dials AS (
    SELECT
        *,
        lag(call_status) OVER each_lead AS previous_status,
        lag(end_cause) OVER each_lead AS previous_end_cause,
        started_at - lag(coalesce(ended_at, started_at)) OVER each_lead AS pause
    FROM legs
    WHERE NOT incoming
    WINDOW each_lead AS (PARTITION BY lead_id ORDER BY started_at, call_id)
),
dialling AS (
    SELECT
        lead_id,
        min(started_at) AS first_dial_at,
        min(started_at) FILTER (is_contact) AS first_contact_at,
        count(*) AS dials,
        -- the next number of the same lead, or the recall after a drop, continues the attempt (traps T18, T21)
        count(*) FILTER (NOT coalesce(
            (previous_status = 'AlternativeNumberDialed' OR previous_end_cause = 'DroppedCall')
            AND pause <= INTERVAL 10 MINUTES, false)) AS attempts,
        count(*) FILTER (is_contact) AS contacts
    FROM dials
    GROUP BY lead_id
),
credited AS (  -- the order of trap T28
    SELECT
        lead_id,
        CASE WHEN legs.call_status = decided.status AND legs.lead_closure = decided.closure
            THEN 'closing_call' ELSE 'last_contact' END AS attribution,
        legs.call_id,
        legs.ended_at,
        legs.agent,
        legs.org_path,
        legs.org_names
    FROM decided
    JOIN closings USING (lead_id)
    JOIN legs USING (lead_id)
    WHERE decided.status = 'UserProcessed' AND is_contact AND started_at <= first_closed_at
        AND (attribution = 'closing_call' OR first_closed_at - started_at <= INTERVAL 24 HOURS)
    QUALIFY row_number() OVER (
        PARTITION BY lead_id ORDER BY attribution = 'closing_call' DESC, started_at DESC, call_id DESC
    ) = 1
)
SELECT
    current.lead_id,
    current.status,
    CASE WHEN current.is_closed THEN decided.closure ELSE current.closure END AS closure,
    current.campaign_id,
    current.campaign_code,
    current.uploaded_at,
    first_dial_at,
    first_contact_at,
    coalesce(dials, 0) AS dials,
    coalesce(attempts, 0) AS attempts,
    coalesce(contacts, 0) AS contacts,
    CASE WHEN credited.attribution = 'closing_call' THEN coalesce(credited.ended_at, first_closed_at)
        ELSE first_closed_at END AS closed_at,
    local_day(closed_at) AS closed_date,
    CASE WHEN credited.attribution = 'closing_call' THEN credited.call_id END AS closing_call_id,
    CASE
        WHEN NOT current.is_closed THEN 'open'
        WHEN credited.attribution IS NOT NULL THEN credited.attribution
        WHEN decided.status = 'UserProcessed' AND coalesce(decided.first_processed_by, decided.last_modified_by) IS NOT NULL
            THEN 'lead_user'
        ELSE 'system'
    END AS attribution,
    CASE WHEN credited.attribution IS NOT NULL THEN credited.agent
        WHEN attribution = 'lead_user' THEN coalesce(decided.first_processed_by, decided.last_modified_by) END AS agent,
    coalesce(credited.org_path, []) AS org_path,
    coalesce(credited.org_names, []) AS org_names,
    local_day(first_dial_at) AS cohort_date,
    history.versions,
    erased
FROM current
JOIN history USING (lead_id)
LEFT JOIN closings USING (lead_id)
LEFT JOIN decided USING (lead_id)
LEFT JOIN dialling USING (lead_id)
LEFT JOIN credited USING (lead_id)
