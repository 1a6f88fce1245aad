-- Every lead once, from all its versions and all its calls, whatever the order in which days were pulled. What a lead is
-- follows from its own rows and from which days are loaded, so it can be made for any set of leads by itself.
-- Keys first, then the rows they lead to: many times cheaper than to carry everything through a sort.
WITH
superseded AS (  -- a version that was seen with different content counts as it was seen last
    SELECT lead_id, last_modified_at, max(observed_at) AS last_observed_at
    FROM lead_versions('simple_leads', 'search_leads')
    GROUP BY lead_id, last_modified_at
    HAVING count(*) > 1
),
versions AS NOT MATERIALIZED (
    SELECT
        *,
        -- a status that is not documented closes nothing (trap T23)
        coalesce(status IN ('UserProcessed', 'Depleted', 'Abandoned', 'Failed', 'Expired', 'Removed', 'Anonymized',
            'DoNotCall', 'GlobalDoNotCall'), false) AS is_closed,
        coalesce(status IN ('Removed', 'Anonymized', 'DoNotCall', 'GlobalDoNotCall'), false) AS is_withdrawn
    FROM lead_versions('simple_leads', 'search_leads')
    LEFT JOIN superseded USING (lead_id, last_modified_at)
    WHERE last_observed_at IS NULL OR observed_at = last_observed_at
),
history AS (
    SELECT
        lead_id,
        -- distinct only where it can matter: to look for it among all is as dear as the rest
        count(*) FILTER (last_observed_at IS NULL)
            + count(DISTINCT last_modified_at) FILTER (last_observed_at IS NOT NULL) AS versions,
        bool_or(status = 'Anonymized') AS erased,
        max(last_modified_at) AS current_at,
        max(last_modified_at) FILTER (NOT is_closed) AS last_open_at,
        max(last_modified_at) FILTER (is_closed AND NOT is_withdrawn) AS last_decision_at,
        min(first_processed_at) AS first_processed_at,
        -- how it was closed stands when it is withdrawn or erased later: history does not move
        if(last_decision_at > last_open_at OR last_open_at IS NULL, last_decision_at, NULL) AS decided_at
    FROM versions
    GROUP BY lead_id
),
closings AS (  -- a later edit is no second closing (trap T11); a lead that was re-opened closes anew (trap T12)
    SELECT lead_id, min(last_modified_at) AS first_closed_at
    FROM versions
    JOIN history USING (lead_id)
    WHERE is_closed AND (last_open_at IS NULL OR last_modified_at > last_open_at)
    GROUP BY lead_id
),
states AS (
    SELECT
        lead_id,
        last_modified_at,
        max({
            'status': status,
            'closure': closure,
            'campaign_id': campaign_id,
            'campaign_code': campaign_code,
            'uploaded_at': uploaded_at,
            'first_processed_by': first_processed_by,
            'last_modified_by': last_modified_by,
            'lead_pool': lead_pool
        }) AS lead
    FROM versions
    JOIN history USING (lead_id)
    WHERE last_modified_at IN (current_at, decided_at)
    GROUP BY lead_id, last_modified_at
),
known AS (
    SELECT
        lead_id,
        versions,
        erased,
        current_at,
        last_open_at,
        first_closed_at,
        -- of a lead that was never seen open the first version seen may be an edit, long after the closing
        CASE
            WHEN last_open_at IS NULL AND coalesce(decided.lead, current.lead).status
                NOT IN ('Depleted', 'Abandoned', 'Failed', 'Expired') THEN least(first_closed_at, first_processed_at)
            ELSE first_closed_at
        END AS closed_without_call_at,
        current.lead.status AS status,
        current.lead.uploaded_at AS uploaded_at,
        coalesce(decided.lead, current.lead) AS as_closed,
        coalesce((as_closed).first_processed_by, (as_closed).last_modified_by) AS lead_user
    FROM history
    LEFT JOIN closings USING (lead_id)
    JOIN states AS current ON current.lead_id = history.lead_id AND current.last_modified_at = current_at
    LEFT JOIN states AS decided ON decided.lead_id = history.lead_id AND decided.last_modified_at = decided_at
),
legs AS NOT MATERIALIZED (
    SELECT
        *,
        coalesce(ended_at, started_at) AS over_at,
        coalesce(end_cause = 'NormalDisconnect', false) AS is_contact,
        coalesce(end_cause = 'DroppedCall', false) AS is_dropped,
        coalesce(call_status = 'AlternativeNumberDialed', false) AS is_alternative,
        hash(org_path, org_names) AS place
    FROM calls
    WHERE lead_id IS NOT NULL AND is_leg(call_status)
),
places AS (
    SELECT place, any_value(org_path) AS org_path, any_value(org_names) AS org_names FROM legs GROUP BY place
),
dials AS (
    SELECT
        lead_id,
        started_at,
        campaign_id,
        place,
        is_contact,
        end_cause IN ('NormalDisconnect', 'NoResponse', 'Busy', 'VoiceMail', 'DroppedCall') AS is_completed,
        row_number() OVER each_lead AS nth,
        -- the next number of the same lead, or the recall after a drop, continues the attempt (traps T18, T21)
        coalesce(
            started_at - lag(if(is_dropped OR is_alternative, over_at, NULL)) OVER each_lead <= INTERVAL 10 MINUTES
            AND (lag(is_dropped) OVER each_lead OR coalesce(lower(lag(agent) OVER each_lead) = lower(agent), true)),
            false
        ) AS is_continued
    FROM legs
    WHERE NOT incoming
    WINDOW each_lead AS (PARTITION BY lead_id ORDER BY started_at, call_id)
),
dialling AS (
    SELECT
        lead_id,
        any_value(place) FILTER (nth = 1) AS first_dial_place,
        any_value(campaign_id) FILTER (nth = 1) AS first_dial_campaign_id,
        min(started_at) AS first_dial_at,
        max(started_at) AS last_dial_at,
        min(started_at) FILTER (is_completed) AS first_completed_at,
        min(started_at) FILTER (is_contact) AS first_contact_at,
        count(*) AS dials,
        count(*) FILTER (is_contact) AS contacts,
        list(started_at ORDER BY started_at) FILTER (NOT is_continued) AS attempted_at
    FROM dials
    GROUP BY lead_id
),
credited AS (  -- the order of trap T28
    SELECT
        lead_id,
        call_id,
        ended_at,
        agent,
        incoming,
        place,
        -- by its status alone: what a call says of the closure may be today's (trap T29)
        over_at >= coalesce(last_open_at, over_at)
            AND coalesce(call_status = 'UserProcessed', lead_closure <> 'NotSet', false) AS is_closing
    FROM legs
    JOIN known USING (lead_id)
    WHERE is_contact AND as_closed.status = 'UserProcessed' AND started_at <= first_closed_at
        AND (is_closing OR started_at >= first_closed_at - INTERVAL 24 HOURS)
    QUALIFY row_number() OVER (PARTITION BY lead_id ORDER BY is_closing DESC, started_at DESC, call_id DESC) = 1
),
only_called AS (  -- leads of which no version is known
    SELECT lead_id, arg_max({'id': campaign_id, 'code': campaign_code}, (started_at, call_id)) AS campaign
    FROM legs
    ANTI JOIN history USING (lead_id)
    GROUP BY lead_id
),
made AS (
    SELECT
        lead_id,
        known.status AS status,
        as_closed.closure AS closure,
        coalesce(as_closed.campaign_id, campaign.id) AS campaign_id,
        coalesce(as_closed.campaign_code, campaign.code) AS campaign_code,
        as_closed.lead_pool AS lead_pool,
        uploaded_at,
        local_day(uploaded_at) AS uploaded_date,
        first_dial_at,
        first_completed_at,
        first_contact_at,
        coalesce(dials, 0) AS dials,
        coalesce(len(attempted_at), 0) AS attempts,
        coalesce(contacts, 0) AS contacts,
        CASE
            WHEN is_closing THEN coalesce(ended_at, first_closed_at)
            WHEN call_id IS NOT NULL THEN first_closed_at
            ELSE closed_without_call_at
        END AS closed_at,
        local_day(closed_at) AS closed_date,
        if(is_closing, call_id, NULL) AS closing_call_id,
        CASE
            -- a dial makes a version: where that is not loaded, nobody knows what became of the lead
            WHEN first_closed_at IS NULL AND (versions IS NULL OR (last_dial_at > current_at AND lead_days.day IS NULL)) THEN NULL
            WHEN first_closed_at IS NULL THEN 'open'
            WHEN is_closing THEN 'closing_call'
            WHEN call_id IS NOT NULL THEN 'last_contact'
            WHEN as_closed.status = 'UserProcessed' AND lead_user IS NOT NULL THEN 'lead_user'
            ELSE 'system'
        END AS attribution,
        CASE WHEN call_id IS NOT NULL THEN agent WHEN attribution = 'lead_user' THEN lead_user END AS agent,
        as_closed.first_processed_by AS first_processed_by,
        as_closed.last_modified_by AS last_modified_by,
        coalesce(at_closing.org_path, []) AS org_path,
        coalesce(at_closing.org_names, []) AS org_names,
        incoming AS credited_incoming,
        local_day(first_dial_at) AS cohort_date,
        coalesce(at_first_dial.org_path, []) AS first_dial_path,
        coalesce(at_first_dial.org_names, []) AS first_dial_names,
        first_dial_campaign_id,
        coalesce(list_transform(attempted_at, lambda begun: local_day(begun)), []) AS attempt_dates,
        if(closed_at IS NULL, NULL, coalesce(len(list_filter(attempted_at, lambda begun: begun <= closed_at)), 0)) AS attempts_to_close,
        if(first_contact_at IS NULL, NULL, len(list_filter(attempted_at, lambda begun: begun <= first_contact_at))) AS attempts_to_contact,
        coalesce(versions, 0) AS versions,
        coalesce(erased, false) OR is_alias(lead_id) AS erased
    FROM known
    FULL JOIN dialling USING (lead_id)
    FULL JOIN only_called USING (lead_id)
    LEFT JOIN credited USING (lead_id)
    LEFT JOIN places AS at_closing ON at_closing.place = credited.place
    LEFT JOIN places AS at_first_dial ON at_first_dial.place = first_dial_place
    LEFT JOIN loaded AS lead_days ON lead_days.table_name = 'simple_leads or search_leads' AND lead_days.day = local_day(last_dial_at)
),
days AS (
    SELECT lead_id, list_sort(list(DISTINCT day)) AS active_dates
    FROM (
        SELECT lead_id, date AS day FROM legs
        UNION ALL
        SELECT lead_id, date FROM versions
        UNION ALL
        FROM (SELECT lead_id, unnest(coalesce(active_dates, [cohort_date, closed_date])) AS day FROM past)
        WHERE day IN (FROM gone_days)
    )
    GROUP BY lead_id
),
lost AS (  -- leads of which calls are past their time and gone, whatever of their other days is there, or is back
    SELECT lead_id
    FROM (SELECT lead_id, unnest(attempt_dates || [cohort_date]) AS day FROM past) AS dialled
    ANTI JOIN legs ON legs.lead_id = dialled.lead_id AND legs.date = dialled.day
    WHERE day IN (FROM gone_days)
    UNION
    SELECT lead_id
    FROM past ANTI JOIN legs ON legs.lead_id = past.lead_id AND legs.date BETWEEN closed_date - 1 AND closed_date
    WHERE attribution IN ('closing_call', 'last_contact')
        AND (closed_date IN (FROM gone_days) OR closed_date - 1 IN (FROM gone_days))
),
sealed AS (  -- they stay as they were made with these calls
    SELECT * FROM past SEMI JOIN lost USING (lead_id)
),
anew AS (
    SELECT
        lead_id,
        coalesce(
            made.closed_at > sealed.closed_at + INTERVAL 1 DAY, (made.closed_at IS NULL) <> (sealed.closed_at IS NULL)
        ) AS is_anew
    FROM sealed JOIN made USING (lead_id)
),
rows AS (
    FROM made ANTI JOIN sealed USING (lead_id)
    UNION ALL BY NAME
    SELECT
        sealed.* REPLACE (
            -- the versions are all there
            if(made.versions > 0, made.status, sealed.status) AS status,
            if(made.versions > 0, made.closure, sealed.closure) AS closure,
            if(made.versions > 0, made.campaign_id, sealed.campaign_id) AS campaign_id,
            if(made.versions > 0, made.campaign_code, sealed.campaign_code) AS campaign_code,
            if(made.versions > 0, made.lead_pool, sealed.lead_pool) AS lead_pool,
            if(made.versions > 0, made.first_processed_by, sealed.first_processed_by) AS first_processed_by,
            if(made.versions > 0, made.last_modified_by, sealed.last_modified_by) AS last_modified_by,
            greatest(made.versions, sealed.versions) AS versions,
            coalesce(made.erased, false) OR sealed.erased AS erased,
            -- it may have been closed, opened again, or closed anew since
            if(is_anew, made.closed_at, sealed.closed_at) AS closed_at,
            if(is_anew, made.closed_date, sealed.closed_date) AS closed_date,
            if(is_anew, made.closing_call_id, sealed.closing_call_id) AS closing_call_id,
            if(is_anew, made.attribution, sealed.attribution) AS attribution,
            if(is_anew, made.agent, sealed.agent) AS agent,
            if(is_anew, made.org_path, sealed.org_path) AS org_path,
            if(is_anew, made.org_names, sealed.org_names) AS org_names,
            if(is_anew, made.credited_incoming, sealed.credited_incoming) AS credited_incoming,
            if(is_anew, if(made.closed_at IS NULL, NULL, sealed.attempts + made.attempts), sealed.attempts_to_close) AS attempts_to_close
        )
    FROM sealed
    LEFT JOIN made USING (lead_id)
    LEFT JOIN anew USING (lead_id)
)
SELECT rows.* REPLACE (days.active_dates AS active_dates)
FROM rows LEFT JOIN days USING (lead_id)
