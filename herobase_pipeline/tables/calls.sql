-- The calls of one local day, from all that was pulled around it.
-- The same call comes back from overlapping windows and under several org codes (trap T5). It is kept once: the answer
-- of the unit furthest down, and of equal ones the answer that tells most.
WITH
of_the_day AS NOT MATERIALIZED (
    SELECT * FROM pulled_calls WHERE started_at >= $day_start AND started_at < $day_end
),
several AS (
    SELECT call_id FROM of_the_day GROUP BY call_id HAVING count(*) > 1
),
scattered AS (  -- calls found under units of which none is below all others: nothing tells where they belong
    SELECT call_id, arg_max(place.path, len(place.path)) AS deepest, list(place.path) AS found
    FROM of_the_day SEMI JOIN several USING (call_id) JOIN asked_units USING (asked)
    GROUP BY call_id
    HAVING len(list_filter(found, lambda path: path <> deepest[:len(path)])) > 0
),
once AS (
    SELECT * FROM of_the_day ANTI JOIN several USING (call_id)
    UNION ALL
    SELECT of_the_day.* FROM of_the_day SEMI JOIN several USING (call_id) LEFT JOIN asked_units USING (asked)
    QUALIFY row_number() OVER (
        PARTITION BY call_id
        ORDER BY
            len(asked_units.place.path) DESC NULLS LAST,
            ended_at DESC NULLS LAST,
            (call_status <> 'NotSet') DESC NULLS LAST,
            hash(of_the_day)
    ) = 1
),
placed_before AS (  -- a place once found stays: a call that is asked for again without one has not moved (trap T24)
    SELECT call_id, {source: org_source, path: org_path, names: org_names, key: org_key(org_path)} AS place
    FROM seen WHERE org_source <> 'missing'
),
placed AS (
    SELECT
        once.call_id,
        $day AS call_date,
        started_at,
        later_pass(connected_at, started_at) AS connected_at,
        later_pass(ended_at, started_at) AS ended_at,
        end_cause,
        call_status,
        lead_closure,
        coalesce(connected, connected_at IS NOT NULL) AS connected,
        coalesce(incoming, false) AS incoming,
        campaign_type,
        dialing_s,
        conversation_s,
        wrap_up_s,
        lead_id,
        coalesce(campaign_id, campaign_code) AS campaign_id,
        campaign_code,
        once.agent,
        coalesce(
            hierarchy.place,
            before.place,
            CASE WHEN $swept AND scattered.call_id IS NULL THEN asked_units.place END,
            {source: 'missing', path: [], names: [], key: ''}
        ) AS place,
        phone_token,
        -- in progress, or its status not set yet: without an outcome until it is 8 days old (traps T8, T9)
        coalesce(end_cause <> 'NotApplicable' AND call_status <> 'NotSet', false)
            OR started_at <= $observed_at - INTERVAL 192 HOURS AS settled,
        $observed_at AS observed_at,
        extra
    FROM once
    LEFT JOIN scattered ON scattered.call_id = once.call_id
    LEFT JOIN hierarchy ON hierarchy.raw = once.hierarchy_raw AND hierarchy.agent IS NOT DISTINCT FROM once.agent
    LEFT JOIN asked_units USING (asked)
    LEFT JOIN placed_before AS before ON before.call_id = once.call_id
)
SELECT *, place.source AS org_source, place.path AS org_path, place.names AS org_names, place.key AS org_key FROM placed
