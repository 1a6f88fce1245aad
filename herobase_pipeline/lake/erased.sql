-- How a person that was erased is recognized, by keyed hashes alone. ``erased`` is the register: identifier, person, is_asked.

-- A lead's id; a number in the forms that may be meant; an address; and who is named by a number, with all leads that have it.
CREATE OR REPLACE MACRO lead_key(x) AS keyed('lead:' || plain_id(x));
CREATE OR REPLACE MACRO phone_keys(x) AS list_distinct([
    token(x), keyed('+' || regexp_replace(x, '\D', '', 'g')), keyed(regexp_replace(x, '\D', '', 'g')),
    keyed(ltrim(e164(x), '+'))]);
CREATE OR REPLACE MACRO mail_key(x) AS keyed('mail:' || lower(trim(x)));
CREATE OR REPLACE MACRO person_of_number(x) AS keyed('phone:' || e164(x));

-- What an erased lead is called instead: a name that leads nowhere, and is the same at each pull, so that counts stay.
CREATE OR REPLACE MACRO alias_of_key(key) AS 'erased-' || key;
CREATE OR REPLACE MACRO alias_of(x) AS alias_of_key(lead_key(x));
CREATE OR REPLACE MACRO key_of(x) AS CASE WHEN is_alias(x) THEN x[length('erased-') + 1:] ELSE lead_key(x) END;
CREATE OR REPLACE MACRO is_erased(x) AS is_alias(x) OR coalesce(lead_key(x) IN (SELECT identifier FROM erased), false);

-- A call is forgotten with its lead, or for its number: one that was asked for, or where it has no lead one of the person's.
CREATE OR REPLACE MACRO is_number_forgotten(lead, token) AS
    coalesce(token IN (SELECT identifier FROM erased WHERE is_asked), false)
    OR (lead IS NULL AND coalesce(token IN (SELECT identifier FROM erased), false));
CREATE OR REPLACE MACRO is_forgotten(lead, token) AS is_erased(lead) OR is_number_forgotten(lead, token);

-- The numbers and addresses in a text, and all of its words that may be a lead's id; stamps are no numbers.
-- Two numbers with a blank between them are one run of digits, so each word of digits is looked at by itself too.
CREATE OR REPLACE MACRO without_stamps(x) AS
    regexp_replace(x, '\d{4}-\d\d-\d\d([T ][\d:.]+)?|\d\d-\d\d-\d{4}( [\d:.]+)?', ' ', 'g');
CREATE OR REPLACE MACRO numbers_in(x) AS list_distinct(list_concat(
    regexp_extract_all(without_stamps(x), '\+?\d(?:[ ./()-]{0,2}\d){6,15}'),
    regexp_extract_all(without_stamps(x), '\+?\d{8,15}')));
CREATE OR REPLACE MACRO addresses_in(x) AS regexp_extract_all(x, '[^\s"''<>,;:()\\]+@[^\s"''<>,;:()\\]+');
CREATE OR REPLACE MACRO words_in(x) AS list_filter(
    regexp_extract_all(x, '[A-Za-z0-9]{6,40}'), lambda word: regexp_matches(word, '\d'));
CREATE OR REPLACE MACRO identifiers_in(x) AS list_distinct(list_concat(
    list_transform(words_in(x), lambda word: lead_key(word)),
    flatten(list_transform(numbers_in(x), lambda number: phone_keys(number))),
    list_transform(addresses_in(x), lambda address: mail_key(address))));
