-- What each agent did, per day, org path and campaign: calls by the day of their start, leads by that of their closing.
WITH
marked AS (
    SELECT
        *,
        NOT incoming AND settled AND coalesce(call_status <> 'Transferred', true) AS is_settled_dial,  -- trap T17
        NOT incoming AND settled AS is_handled,
        coalesce(end_cause = 'NormalDisconnect', false) AS is_contact
    FROM calls
),
called AS (
    SELECT
        date AS day,
        agent,
        org_path,
        arg_max(org_names, (started_at, call_id)) AS org_names,
        max(started_at) AS latest,
        campaign_id,
        count(*) AS calls,
        count(*) FILTER (NOT incoming AND coalesce(call_status <> 'Transferred', true)) AS dials,
        count(*) FILTER (is_settled_dial) AS settled_dials,
        count(*) FILTER (
            is_settled_dial AND end_cause IN ('NormalDisconnect', 'NoResponse', 'Busy', 'VoiceMail', 'DroppedCall')
        ) AS completed,
        count(*) FILTER (is_settled_dial AND is_contact) AS contacts,
        total_s(dialing_s) AS dialing_s,
        total_s(conversation_s) AS talk_s,
        total_s(wrap_up_s) AS wrap_up_s,
        total_s(if(is_handled, dialing_s, NULL)) AS handled_dialing_s,
        total_s(if(is_handled, conversation_s, NULL)) AS handled_talk_s,
        total_s(if(is_handled, wrap_up_s, NULL)) AS handled_wrap_up_s,
        total_s(if(is_handled AND is_contact, conversation_s, NULL)) AS contact_talk_s,
        total_s(if(is_handled AND is_contact, wrap_up_s, NULL)) AS contact_wrap_up_s,
        count(*) FILTER (NOT settled) AS unsettled
    FROM marked
    GROUP BY ALL
),
kept_calls AS (  -- of days whose calls are past their time and gone
    SELECT
        date AS day,
        agent,
        org_path,
        org_names,
        NULL::TIMESTAMPTZ AS latest,
        campaign_id,
        calls,
        dials,
        settled_dials,
        unsettled,
        completed,
        contacts,
        dialing_s,
        talk_s,
        wrap_up_s,
        handled_dialing_s,
        handled_talk_s,
        handled_wrap_up_s,
        contact_talk_s,
        contact_wrap_up_s
    FROM past
    WHERE calls > 0
),
closed AS (
    SELECT
        closed_date AS day,
        agent,
        org_path,
        arg_max(org_names, (closed_at, lead_id)) AS org_names,
        max(closed_at) AS latest,
        campaign_id,
        count(*) AS closings,
        count(*) FILTER (closure = 'Success') AS successes,
        count(*) FILTER (closure = 'NotInterested') AS not_interested,
        count(*) FILTER (closure = 'Success' AND NOT credited_incoming) AS outbound_successes
    FROM leads
    WHERE closed_at IS NOT NULL AND attribution <> 'system'
    GROUP BY ALL
),
spelled AS (  -- an agent and a path have one spelling a day, the last one used (traps T26, T30b)
    SELECT
        * EXCLUDE (agent, org_path, org_names),
        arg_max(agent, (coalesce(latest, '-infinity'), agent)) OVER (PARTITION BY day, lower(agent)) AS agent,
        arg_max(org_path, (coalesce(latest, '-infinity'), org_path)) OVER of_path AS path,
        arg_max(org_names, (coalesce(latest, '-infinity'), org_path, org_names)) OVER of_path AS names
    FROM (FROM called UNION ALL BY NAME FROM closed UNION ALL BY NAME FROM kept_calls)
    WINDOW of_path AS (PARTITION BY day, lower(org_key(org_path)))
),
counted AS (
    SELECT
        day,
        agent,
        path,
        names,
        campaign_id,
        coalesce(sum(calls), 0) AS calls,
        coalesce(sum(dials), 0) AS dials,
        coalesce(sum(settled_dials), 0) AS settled_dials,
        coalesce(sum(completed), 0) AS completed,
        coalesce(sum(contacts), 0) AS contacts,
        total_s(dialing_s) AS dialing_s,
        total_s(talk_s) AS talk_s,
        total_s(wrap_up_s) AS wrap_up_s,
        total_s(handled_dialing_s) AS handled_dialing_s,
        total_s(handled_talk_s) AS handled_talk_s,
        total_s(handled_wrap_up_s) AS handled_wrap_up_s,
        total_s(contact_talk_s) AS contact_talk_s,
        total_s(contact_wrap_up_s) AS contact_wrap_up_s,
        coalesce(sum(closings), 0) AS closings,
        coalesce(sum(successes), 0) AS successes,
        coalesce(sum(not_interested), 0) AS not_interested,
        coalesce(sum(outbound_successes), 0) AS outbound_successes,
        coalesce(sum(unsettled), 0) AS unsettled
    FROM spelled
    GROUP BY ALL
)
SELECT told.*, unsettled = 0 AND through IS NOT NULL AS is_mature
FROM (
    SELECT
        day AS date,
        path AS org_path,
        org_key(path) AS org_key,
        names AS org_names,
        path[-1] AS org_code,
        coalesce(names[-1], '(no team)') AS org_name,
        -- of a day whose calls were gone before they were counted nothing per call can be said
        counted.* EXCLUDE (day, path, names)
            REPLACE (if(day IN (FROM gone_days) AND sum(calls) OVER (PARTITION BY day) = 0, NULL, outbound_successes) AS outbound_successes)
    FROM counted
    UNION ALL BY NAME
    SELECT * EXCLUDE (is_mature) FROM kept  -- the days of which nothing has changed
) AS told
LEFT JOIN complete_days ON day = date
