-- Every lead once, from all its versions and all its calls, whatever the order in which days were pulled.
WITH
versions AS (
    SELECT
        *,
        coalesce(status IN ('New', 'RedialAutomatic', 'RedialManualCommon', 'RedialManualPrivate', 'VIPRedial', 'Unresolved'),
            true) AS is_open
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
        max(last_modified_at) FILTER (is_open) AS last_open_at
    FROM versions
    GROUP BY lead_id
),
closings AS (  -- a later edit of a closed lead is no second closing (trap T11); one that was re-opened closes anew (T12)
    SELECT lead_id, min(last_modified_at) AS first_closed_at
    FROM versions
    JOIN history USING (lead_id)
    WHERE NOT is_open AND (last_open_at IS NULL OR last_modified_at > last_open_at)
    GROUP BY lead_id
),
dials AS (
    SELECT
        *,
        coalesce(end_cause = 'NormalDisconnect', false) AS is_contact,
        lag(call_status) OVER each_lead AS previous_status,
        lag(end_cause) OVER each_lead AS previous_end_cause,
        started_at - lag(coalesce(ended_at, started_at)) OVER each_lead AS pause
    FROM calls
    WHERE lead_id IS NOT NULL AND NOT incoming AND coalesce(call_status <> 'Transferred', true)
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
        CASE WHEN dials.call_status = current.status AND dials.lead_closure = current.closure
            THEN 'closing_call' ELSE 'last_contact' END AS attribution,
        dials.call_id,
        dials.ended_at,
        dials.agent,
        dials.org_path,
        dials.org_names
    FROM current
    JOIN closings USING (lead_id)
    JOIN dials USING (lead_id)
    WHERE current.status = 'UserProcessed' AND is_contact AND started_at <= first_closed_at
        AND (attribution = 'closing_call' OR first_closed_at - started_at <= INTERVAL 24 HOURS)
    QUALIFY row_number() OVER (
        PARTITION BY lead_id ORDER BY attribution = 'closing_call' DESC, started_at DESC, call_id DESC
    ) = 1
)
SELECT
    current.lead_id,
    current.status,
    current.closure,
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
        WHEN current.is_open THEN 'open'
        WHEN credited.attribution IS NOT NULL THEN credited.attribution
        WHEN current.status = 'UserProcessed' AND coalesce(first_processed_by, last_modified_by) IS NOT NULL THEN 'lead_user'
        ELSE 'system'
    END AS attribution,
    CASE WHEN credited.attribution IS NOT NULL THEN credited.agent
        WHEN attribution = 'lead_user' THEN coalesce(first_processed_by, last_modified_by) END AS agent,
    coalesce(credited.org_path, []) AS org_path,
    coalesce(credited.org_names, []) AS org_names,
    local_day(first_dial_at) AS cohort_date,
    history.versions,
    erased
FROM current
JOIN history USING (lead_id)
LEFT JOIN closings USING (lead_id)
LEFT JOIN dialling USING (lead_id)
LEFT JOIN credited USING (lead_id)
