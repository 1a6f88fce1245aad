-- Every lead that was closed as the delivery asks for, with what is done with it; the first reason that holds counts.
SELECT
    leads.lead_id,
    known.key AS key,
    CASE
        WHEN ledger.state IS NOT NULL THEN {'decision': 'done', 'reason': ledger.state}
        WHEN erased OR starts_with(leads.lead_id, 'erased-') THEN {'decision': 'not_eligible', 'reason': 'the person was erased'}
        WHEN status IN ('DoNotCall', 'GlobalDoNotCall') THEN {'decision': 'not_eligible', 'reason': 'the person is not to be called'}
        WHEN status IN ('Removed', 'Anonymized') THEN {'decision': 'not_eligible', 'reason': 'the lead was withdrawn'}
        WHEN len($statuses::VARCHAR[]) > 0 AND coalesce(status NOT IN (SELECT unnest($statuses::VARCHAR[])), true)
        THEN {'decision': 'not_eligible', 'reason': 'its status is not one of statuses'}
        WHEN NOT regexp_full_match(coalesce(campaign_code, ''), $campaigns, 'i')
            AND NOT regexp_full_match(coalesce(campaign_id, ''), $campaigns, 'i')
        THEN {'decision': 'not_eligible', 'reason': 'its campaign is not one of campaigns'}
        WHEN closed_date < $deliver_from THEN {'decision': 'not_eligible', 'reason': 'closed before deliver_from'}
        WHEN closed_at > $now - to_minutes($settle_minutes) THEN {'decision': 'not_yet', 'reason': 'closed within settle_minutes'}
        ELSE {'decision': 'send', 'reason': NULL}
    END AS decided,
    leads.closed_at
FROM leads
JOIN known USING (lead_id)
LEFT JOIN ledger ON ledger.key = known.key
WHERE closed_at IS NOT NULL AND closure IN (SELECT unnest($closures::VARCHAR[]))
ORDER BY closed_at, leads.lead_id
