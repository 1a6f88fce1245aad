-- A transfer is a leg of a call that is counted already (trap T17).
CREATE MACRO is_leg(call_status) AS coalesce(call_status <> 'Transferred', true);

-- Every version of a lead, whichever export told it. A saved search may leave out what SimpleLeads has, so it adds a version
-- only where it says something else: another time, or for the same time another status or closure.
CREATE MACRO lead_versions(simple, searched) AS TABLE
SELECT *, 'simple_leads' AS export FROM query_table(simple)
UNION ALL BY NAME
SELECT * EXCLUDE (search), 'search_leads' AS export
FROM query_table(searched) AS found
ANTI JOIN query_table(simple) AS same
    ON same.lead_id = found.lead_id
    AND same.last_modified_at = found.last_modified_at
    AND coalesce(same.status = found.status, true)
    AND coalesce(same.closure = found.closure, true);
