-- How things are counted: by org node, and through time. What several tables share.

-- Each row of a relation at every node of its org_path: at each level of the path once; level 0 is everything, with a
-- path or without. The relation has, besides its measures, a ``day``, org_path,
-- org_names and ``latest``, an instant. A node has one spelling and one name a day, the last ones used (traps T26, T30b).
CREATE MACRO rolled_up(leaves) AS TABLE
WITH
nodes AS (
    SELECT
        * EXCLUDE (org_path, org_names),
        org_path AS path,
        org_names AS names,
        unnest(range(len(path) + 1)) AS org_level,
        list_transform(path[:org_level], lambda code: lower(code)) AS node
    FROM query_table(leaves)
),
named AS (
    SELECT day, node, arg_max({'path': path[:org_level], 'name': names[org_level]}, (latest, path, names)) AS last
    FROM nodes
    GROUP BY day, node
)
SELECT
    nodes.* EXCLUDE (path, names, node, latest),
    last.path AS org_path,
    org_key(last.path) AS org_key,
    last.path[-1] AS org_code,
    CASE WHEN org_level = 0 THEN '(all)' ELSE last.name END AS org_name
FROM nodes
JOIN named USING (day, node);

-- A sum of seconds that is the same whatever the order of the rows: added as decimals of 100 ns, the finest of the wire.
CREATE MACRO total_s(seconds) AS sum(seconds::DECIMAL(38, 7))::DOUBLE;

-- What became of the calls of a relation, at every node by end cause; by hour too, or hour is NULL. Counted per full path first,
-- then rolled up to every node above: leaf first is many times cheaper than call by call.
CREATE MACRO calls_counted(relation, complete, by_hour) AS TABLE
WITH
marked AS (
    SELECT
        *,
        NOT incoming AND coalesce(call_status <> 'Transferred', true) AS is_dial,  -- trap T17
        NOT incoming AND settled AS is_handled
    FROM query_table(relation)
),
leaves AS (
    SELECT
        date AS day,
        CASE WHEN by_hour THEN hour(started_at) END AS hour,
        org_path,
        arg_max(org_names, (started_at, call_id)) AS org_names,
        max(started_at) AS latest,
        campaign_id,
        end_cause,
        count(*) AS calls,
        count(*) FILTER (connected) AS connected,
        total_s(dialing_s) AS dialing_s,
        total_s(conversation_s) AS conversation_s,
        total_s(wrap_up_s) AS wrap_up_s,
        count(*) FILTER (is_dial) AS dials,
        count(*) FILTER (is_dial AND settled) AS settled_dials,
        total_s(if(is_handled, dialing_s, NULL)) AS handled_dialing_s,
        total_s(if(is_handled, conversation_s, NULL)) AS handled_talk_s,
        total_s(if(is_handled, wrap_up_s, NULL)) AS handled_wrap_up_s,
        bool_and(settled) AS is_settled
    FROM marked
    GROUP BY ALL
)
SELECT
    day AS date,
    org_level,
    org_path,
    org_key,
    org_code,
    org_name,
    campaign_id,
    hour,
    end_cause,
    sum(calls) AS calls,
    sum(connected) AS connected,
    total_s(dialing_s) AS dialing_s,
    total_s(conversation_s) AS conversation_s,
    total_s(wrap_up_s) AS wrap_up_s,
    sum(dials) AS dials,
    sum(settled_dials) AS settled_dials,
    total_s(handled_dialing_s) AS handled_dialing_s,
    total_s(handled_talk_s) AS handled_talk_s,
    total_s(handled_wrap_up_s) AS handled_wrap_up_s,
    bool_and(is_settled) AND any_value(through IS NOT NULL) AS is_mature
FROM rolled_up('leaves')
LEFT JOIN query_table(complete) USING (day)
GROUP BY ALL;

-- How long each lead that was dialled is known, in days from its first dial, and how that ended: cause 1 success, 2 other
-- closure, 0 still open on the last day that is known. The relation has these columns of ``leads``.
CREATE MACRO lives(leads) AS TABLE
SELECT
    *,
    coalesce(closed_date::DATE <= known_through::DATE, false) AS is_closed,
    -- 0 for one that was dialled although it was closed
    greatest(if(is_closed, closed_date::DATE, known_through::DATE) - cohort_date::DATE, 0) AS age,
    CASE WHEN NOT is_closed THEN 0 WHEN closure = 'Success' THEN 1 ELSE 2 END AS cause
FROM query_table(leads)
WHERE cohort_date IS NOT NULL AND known_through IS NOT NULL;

-- Cumulative incidence by Aalen and Johansen (1978): the share that ends in success, or otherwise, by each age, where the
-- others are still open at the last day that is known. The relation has cohort, age (days) and cause: 1 success, 2 other
-- end, 0 open when last seen at that age. The interval is Wilson's on the effective sample (Rothman 1978): n = F(1-F)/Var.
CREATE MACRO incidence(lives) AS TABLE
WITH
counts AS (
    SELECT
        cohort,
        age,
        count(*) FILTER (cause = 1) AS successes,
        count(*) FILTER (cause = 2) AS other_closed,
        count(*) FILTER (cause = 0) AS censored
    FROM query_table(lives)
    GROUP BY cohort, age
),
ages AS (
    SELECT cohort, unnest(range(max(age) + 1)) AS age FROM counts GROUP BY cohort
),
risks AS (
    SELECT
        cohort,
        age,
        coalesce(successes, 0) AS successes,
        coalesce(other_closed, 0) AS other_closed,
        coalesce(censored, 0) AS censored,
        (sum(coalesce(successes + other_closed + censored, 0)) OVER (
            PARTITION BY cohort ORDER BY age ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING
        ))::BIGINT AS at_risk,
        coalesce(successes + other_closed, 0) AS ends
    FROM ages LEFT JOIN counts USING (cohort, age)
),
survival AS (
    SELECT *, product((at_risk - ends) / at_risk) OVER so_far AS still_open
    FROM risks
    WINDOW so_far AS (PARTITION BY cohort ORDER BY age ROWS UNBOUNDED PRECEDING)
),
steps AS (
    SELECT *, lag(still_open, 1, 1) OVER (PARTITION BY cohort ORDER BY age) AS open_before FROM survival
),
curves AS (
    SELECT
        *,
        sum(open_before * successes / at_risk) OVER so_far AS success_incidence,
        sum(open_before * other_closed / at_risk) OVER so_far AS other_incidence,
        if(at_risk > ends, ends / (at_risk * (at_risk - ends)), 0) AS hazard,
        open_before * successes / at_risk ** 2 AS slope
    FROM steps
    WINDOW so_far AS (PARTITION BY cohort ORDER BY age ROWS UNBOUNDED PRECEDING)
),
variances AS (  -- Var F(t) = sum (F(t)-F)^2 hazard + sum open^2 d (Y-d) / Y^3 - 2 sum (F(t)-F) slope, the squares multiplied out
    SELECT
        *,
        success_incidence ** 2 * sum(hazard) OVER so_far
        - 2 * success_incidence * sum(hazard * success_incidence) OVER so_far
        + sum(hazard * success_incidence ** 2) OVER so_far
        + sum(open_before ** 2 * successes * (at_risk - successes) / at_risk ** 3) OVER so_far
        - 2 * success_incidence * sum(slope) OVER so_far
        + 2 * sum(slope * success_incidence) OVER so_far AS variance
    FROM curves
    WINDOW so_far AS (PARTITION BY cohort ORDER BY age ROWS UNBOUNDED PRECEDING)
)
SELECT
    cohort,
    age AS age_days,
    at_risk,
    successes,
    other_closed,
    censored,
    success_incidence,
    other_incidence,
    still_open,
    if(variance > 1e-12, success_incidence * (1 - success_incidence) / variance, at_risk) AS effective,
    wilson(success_incidence * effective, effective, -1) AS success_ci_low,
    wilson(success_incidence * effective, effective, 1) AS success_ci_high
FROM variances;
