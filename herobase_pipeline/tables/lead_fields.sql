-- Every lead once, with the fields of its latest version as HeroBase gave them, and the file of declared fields that is
-- for its campaign. More than one in ``declarations`` is an error that the caller reports.
WITH
told AS (  -- whichever export gave them; that a search gives none says nothing
    SELECT lead_id, last_modified_at, data, custom_data, false AS is_searched FROM lead_data
    UNION ALL
    SELECT lead_id, last_modified_at, data, custom_data, true AS is_searched
    FROM search_lead_data
    WHERE data IS NOT NULL OR custom_data IS NOT NULL
),
latest AS (
    SELECT
        lead_id,
        coalesce(
            max(last_modified_at) FILTER (data IS NOT NULL OR custom_data IS NOT NULL), max(last_modified_at)
        ) AS last_modified_at
    FROM told
    GROUP BY lead_id
),
given AS (  -- of a version that was seen with different fields, the shortest: what was emptied stays so
    SELECT
        lead_id,
        last_modified_at,
        any_value(fields) FILTER (NOT is_searched) AS simple,
        any_value(fields) FILTER (is_searched) AS searched
    FROM (
        SELECT
            lead_id,
            last_modified_at,
            is_searched,
            arg_min(
                {'data': data, 'custom_data': custom_data},
                (coalesce(length(data), 0) + coalesce(length(custom_data), 0), data, custom_data)
            ) AS fields
        FROM told
        JOIN latest USING (lead_id, last_modified_at)
        GROUP BY lead_id, last_modified_at, is_searched
    )
    GROUP BY lead_id, last_modified_at
),
raw AS (  -- the fields of each lead's latest day, as they were seen last
    SELECT
        lead_id,
        max(observed_at) AS observed_at,
        to_json(map_from_entries(list((field_name, field.text) ORDER BY field_name)))::VARCHAR AS data
    FROM (
        SELECT
            lead_id,
            date,
            field_name,
            arg_max({'text': field_value}, (observed_at, field_value)) AS field,
            max(observed_at) AS observed_at
        FROM raw_leads
        GROUP BY lead_id, date, field_name
        QUALIFY date = max(date) OVER (PARTITION BY lead_id)
    )
    WHERE field.text IS NOT NULL
    GROUP BY lead_id
),
versions AS (
    SELECT
        lead_id,
        bool_or(status = 'Anonymized') AS erased,
        max(last_modified_at) AS last_modified_at,
        arg_max({'id': campaign_id, 'code': campaign_code}, (last_modified_at, observed_at)) AS campaign
    FROM lead_versions('simple_leads', 'search_leads')
    GROUP BY lead_id
),
only_called AS (  -- of leads that only RawLeads gives, the calls say the campaign
    SELECT lead_id, arg_max({'id': campaign_id, 'code': campaign_code}, (started_at, call_id)) AS campaign
    FROM calls
    SEMI JOIN raw USING (lead_id)
    ANTI JOIN versions USING (lead_id)
    GROUP BY lead_id
),
named AS (
    SELECT
        lead_id,
        coalesce(given.last_modified_at, versions.last_modified_at, raw.observed_at) AS last_modified_at,
        coalesce(erased, false) AS erased,
        coalesce(versions.campaign, only_called.campaign) AS campaign,
        coalesce(simple.data, searched.data, raw.data) AS data,
        coalesce(simple.custom_data, searched.custom_data) AS custom_data
    FROM given
    FULL JOIN raw USING (lead_id)
    LEFT JOIN versions USING (lead_id)
    LEFT JOIN only_called USING (lead_id)
),
projects AS (  -- a lead names its campaign by id or by code
    SELECT campaign, arg_max(project, observed_at) AS project
    FROM (
        SELECT campaign_id AS campaign, project, observed_at FROM campaigns
        UNION ALL
        SELECT campaign_code, project, observed_at FROM campaigns
    )
    GROUP BY campaign
),
files AS (
    SELECT unnest($declared::STRUCT(name VARCHAR, version BIGINT, campaigns VARCHAR, projects VARCHAR)[]) AS file
),
covered AS (
    SELECT seen.campaign AS campaign, list(file.name ORDER BY file.name) AS declarations, min(file.version) AS version
    FROM (SELECT DISTINCT campaign FROM named) AS seen
    LEFT JOIN projects ON projects.campaign = seen.campaign.id
    JOIN files ON regexp_full_match(nfc_normalize(trim(seen.campaign.code)), nullif(file.campaigns, ''), 'i')
        OR regexp_full_match(nfc_normalize(trim(seen.campaign.id)), nullif(file.campaigns, ''), 'i')
        OR regexp_full_match(nfc_normalize(trim(project)), nullif(file.projects, ''), 'i')
    GROUP BY seen.campaign
)
SELECT
    lead_id,
    last_modified_at,
    declarations[1] AS declaration,
    version AS declaration_version,
    declarations,
    coalesce(nullif(trim(named.campaign.code), ''), named.campaign.id) AS campaign,
    CASE WHEN NOT erased THEN object(named.data) END AS data,
    CASE WHEN NOT erased THEN object(named.custom_data) END AS custom_data,
    NOT erased AND (
        named.data IS NOT NULL AND object(named.data) IS NULL
        OR named.custom_data IS NOT NULL AND object(named.custom_data) IS NULL
    ) AS is_unreadable
FROM named
LEFT JOIN covered ON covered.campaign = named.campaign
