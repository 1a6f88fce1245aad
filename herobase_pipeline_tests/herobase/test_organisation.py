"""The organisation: today's tree from any shape of records, and the hierarchy of a call found by what it says."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from herobase_pipeline.herobase.organisation import Level, OrgTree, candidates, find_hierarchy, flat

PARENTS = {
    "Nord Salg": None,
    "Aarhus": "Nord Salg",
    "København A/S": "Nord Salg",
    "Team 1": "Aarhus",
    "Team 2": "Aarhus",
    "Team 3": "København A/S",
}
PATHS = [
    ("Nord Salg", "Aarhus", "Team 1"),
    ("Nord Salg", "Aarhus", "Team 2"),
    ("Nord Salg", "København A/S", "Team 3"),
    ("Nord Salg", "København A/S"),
]
FLAT = [{"orgCode": code, "name": f"{code}!", **({"parent": up} if up else {})} for code, up in PARENTS.items()]


def name(code: str) -> str:
    return f"{code}!"


def codes(levels: list[Level]) -> list[str | None]:
    return [level.code for level in levels]


def nested(code: str) -> dict[str, Any]:
    below = [child for child, up in PARENTS.items() if up == code]
    return {"OrgCode": code, "Name": name(code), "Children": [nested(child) for child in below]}


TREES = {
    "flat": FLAT,
    "leaves first": FLAT[::-1],
    "parents as objects": [
        {**unit, "parent": {"orgCode": unit["parent"], "name": "?"}} if "parent" in unit else unit for unit in FLAT
    ],
    "nulls": [{**unit, "parent": unit.get("parent"), "children": None} for unit in FLAT],
    "empty texts": [{**unit, "parent": unit.get("parent", ""), "children": []} for unit in FLAT],
    "pascal case": [{key[0].upper() + key[1:]: value for key, value in unit.items()} for unit in FLAT],
    "nested": [nested("Nord Salg")],
    "codes of parents in other case": [
        {**unit, "parent": unit["parent"].upper()} if "parent" in unit else unit for unit in FLAT
    ],
}
TREE = OrgTree.of(FLAT)


@pytest.mark.parametrize("shape", TREES)
def test_a_tree_is_read_from_any_shape(shape):
    tree = OrgTree.of(TREES[shape])
    assert tree.roots() == ["Nord Salg"]
    for path in PATHS:
        assert codes(tree.path(path[-1])) == list(path)
        assert [level.name for level in tree.path(path[-1])] == [name(code) for code in path]
    assert len(tree.units) == len(PARENTS)


@pytest.mark.parametrize("spelling", [str, str.upper, str.lower, str.swapcase])
def test_t30b_codes_are_compared_without_regard_to_case(spelling):
    assert spelling("København A/S") in TREE
    assert codes(TREE.path(spelling("team 3"))) == ["Nord Salg", "København A/S", "Team 3"]
    assert TREE.is_above(spelling("nord salg"), spelling("team 1"))
    assert TREE.name(spelling("aarhus")) == "Aarhus!"


def test_who_is_above_whom():
    assert TREE.is_above("Aarhus", "Team 1")
    assert not TREE.is_above("Team 1", "Aarhus")
    assert not TREE.is_above("Aarhus", "Aarhus")
    assert not TREE.is_above("Aarhus", "Team 3")
    assert not TREE.is_above("Aarhus", "nobody")


def test_what_is_no_unit():
    assert "nobody" not in TREE
    assert None not in TREE
    assert 1 not in TREE
    assert TREE.path("nobody") == []
    assert TREE.name("nobody") == "nobody"


def test_a_unit_without_a_name_is_named_by_its_code_and_one_without_a_code_is_none():
    tree = OrgTree.of([{"orgCode": "a"}, {"name": "nameless"}, {"orgCode": ""}, {"orgCode": None}, {"orgCode": 12}])
    assert sorted(tree.units) == ["12", "a"]
    assert tree.name("a") == "a"


def test_a_unit_whose_parent_is_not_shown_is_a_root():
    tree = OrgTree.of([{"orgCode": "a", "parent": "hidden"}, {"orgCode": "b", "parent": "a"}, {"orgCode": "c"}])
    assert tree.roots() == ["a", "c"]
    assert codes(tree.path("b")) == ["a", "b"]


def test_no_units_no_roots():
    assert OrgTree.of([]).roots() == []


@pytest.mark.parametrize(
    "parents",
    [{"a": "a"}, {"a": "b", "b": "a"}, {"a": "b", "b": "c", "c": "A", "d": "c"}, {"a": "a", "b": "a", "c": None}],
)
def test_t27_a_cycle_ends_the_walk_and_loses_no_unit(parents):
    tree = OrgTree.of({"orgCode": code, "parent": up} for code, up in parents.items())
    for code in parents:
        path = codes(tree.path(code))
        assert path[-1] == code
        assert len(path) == len(set(path))
    asked = {code for code in parents for above in tree.roots() if above in codes(tree.path(code))}
    assert asked == set(parents), "a unit that no root covers would never be asked for"


@given(st.dictionaries(st.sampled_from("abcdefgh"), st.none() | st.sampled_from("ABCDEFGHx"), min_size=1))
@settings(max_examples=100, deadline=None)
def test_t27_whatever_the_parents_every_unit_is_under_a_root(parents):
    tree = OrgTree.of({"orgCode": code, "parent": up} for code, up in parents.items())
    roots = tree.roots()
    assert len(roots) == len(set(roots))
    for code in parents:
        assert set(codes(tree.path(code))) & set(roots)


def test_flat_gives_children_their_parent():
    found = list(flat([nested("Nord Salg")]))
    assert {unit["OrgCode"]: unit["parent"] for unit in found} == PARENTS
    assert all("Children" not in unit for unit in found)


# -- the hierarchy of a call, in every shape of the API reference, section 5 ------------------------------------------


def objects(path: tuple[str, ...]) -> Any:
    return [{"orgCode": code, "name": f"then {code}"} for code in path]


def chain(path: tuple[str, ...]) -> Any:
    unit: Any = None
    for code in path:
        unit = {"orgCode": code, "name": f"then {code}", **({"parent": unit} if unit else {})}
    return unit


SHAPES = {
    "strings": list,
    "objects": objects,
    "objects in pascal case": lambda path: [{"OrgCode": code, "Name": code} for code in path],
    "objects with other keys": lambda path: [{"code": code, "id": i} for i, code in enumerate(path)],
    "chain of parents": chain,
    "chain in pascal case": lambda path: json.loads(
        json.dumps(chain(path)).replace("orgCode", "OrgCode").replace("parent", "Parent")
    ),
    "chain under the agent": lambda path: {"orgCode": "t01abcd", "name": "Anna", "orgUnit": chain(path)},
    "list under the agent": lambda path: {"orgCode": "t01abcd", "units": list(path)},
    "list in an object": lambda path: {"levels": objects(path)},
    "text with >": " > ".join,
    "text with ›": " › ".join,
    "text with |": "|".join,
    "text with \\": "\\".join,
    "text with ;": "; ".join,
}
DECOYS = {
    ("ownerOrgUnit",): ('{"orgCode":"Nord Salg"}',),
    ("region",): ("Aarhus",),
    ("agentTeam",): ('"Team 1"',),
    ("comment",): ("rang Team 1 og Aarhus op",),
    ("priority",): ("10",),
    ("flags",): ("[true,null,1.5]",),
    ("data",): ('{"Resultat":"Nej tak","age":"71"}',),
    ("broken",): ('{"orgCode":',),
    ("empty",): ("",),
    ("absent",): (None,),
}
CHAINS = ("chain of parents", "chain in pascal case", "chain under the agent")


def written(value: Any) -> str | None:
    return value if isinstance(value, str) or value is None else json.dumps(value, ensure_ascii=False)


def pulled(shape: str, paths: list[tuple[str, ...]], field: str = "zHierarchy") -> dict[Any, Any]:
    values: dict[Any, Any] = {fields: {raw: 40} for fields, raw in DECOYS.items()}
    values[(field,)] = {(written(SHAPES[shape](path)),): 10 for path in paths}
    return values


@pytest.mark.parametrize("leaf_first", [False, True], ids=["root first", "leaf first"])
@pytest.mark.parametrize("shape", SHAPES)
def test_t27_the_hierarchy_is_found_and_turned_by_what_it_says(shape, leaf_first):
    order = [path[::-1] for path in PATHS] if leaf_first else PATHS
    hierarchy = find_hierarchy(pulled(shape, order), TREE)
    assert hierarchy.fields == ("zHierarchy",)
    for path, stands in zip(PATHS, order, strict=True):
        levels = hierarchy.path((written(SHAPES[shape](stands)),))
        assert codes(levels) == list(path)


@pytest.mark.parametrize("shape", ["objects", "chain of parents", "chain under the agent"])
def test_t26_names_are_those_of_the_call(shape):
    hierarchy = find_hierarchy(pulled(shape, PATHS), TREE)
    (raw,) = {written(SHAPES[shape](PATHS[0]))}
    assert [level.name for level in hierarchy.path((raw,))] == [f"then {code}" for code in PATHS[0]]


@pytest.mark.parametrize("shape", SHAPES)
def test_t30b_case_does_not_matter_and_is_kept(shape):
    paths = [tuple(code.upper() for code in path) for path in PATHS]
    hierarchy = find_hierarchy(pulled(shape, paths), TREE)
    for path in paths:
        assert codes(hierarchy.path((written(SHAPES[shape](path)),))) == list(path)


@pytest.mark.parametrize("shape", SHAPES)
def test_t24_units_that_no_longer_exist_stay_in_the_path(shape):
    gone = ("Nord Salg", "Odense (closed)", "Team 9")
    hierarchy = find_hierarchy(pulled(shape, [*PATHS, gone]), TREE)
    assert codes(hierarchy.path((written(SHAPES[shape](gone)),))) == list(gone)


@pytest.mark.parametrize("leaf_first", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_t24_a_unit_that_has_moved_since_does_not_turn_the_rest(shape, leaf_first):
    moved = OrgTree.of(
        [{**unit, "parent": "København A/S"} if unit["orgCode"] in ("Team 1",) else unit for unit in FLAT]
    )
    order = [path[::-1] for path in PATHS] if leaf_first else PATHS
    hierarchy = find_hierarchy(pulled(shape, order), moved)
    assert codes(hierarchy.path((written(SHAPES[shape](order[0])),))) == list(PATHS[0])


@pytest.mark.parametrize("leaf_first", [False, True])
def test_t27_the_tree_tells_the_direction_where_the_calls_alone_do_not(leaf_first):
    path = PATHS[0][::-1] if leaf_first else PATHS[0]
    hierarchy = find_hierarchy({("h",): {(written(list(path)),): 10}}, TREE)
    assert hierarchy.leaf_first == leaf_first
    assert codes(hierarchy.path((written(list(path)),))) == list(PATHS[0])


@pytest.mark.parametrize("leaf_first", [False, True])
def test_where_the_tree_has_no_parents_the_root_is_what_varies_less(leaf_first):
    tree = OrgTree.of([{"orgCode": code} for code in PARENTS])
    order = [path[::-1] for path in PATHS] if leaf_first else PATHS
    hierarchy = find_hierarchy(pulled("strings", order), tree)
    assert hierarchy.leaf_first == leaf_first
    assert codes(hierarchy.path((written(list(order[0])),))) == list(PATHS[0])


@pytest.mark.parametrize("leaf_first", [False, True])
@pytest.mark.parametrize("gap", [None, ""])
def test_numbered_columns_are_one_hierarchy_in_the_order_of_their_numbers(leaf_first, gap):
    names = tuple(f"orgLevel{i}" for i in range(1, 12))  # ten and more sort after nine
    order = [path[::-1] for path in PATHS] if leaf_first else PATHS
    rows = {path: (*path, *[gap] * (len(names) - len(path))) for path in order}
    values: dict[Any, Any] = {fields: {raw: 5} for fields, raw in DECOYS.items()}
    for candidate in candidates([*names, *(fields[0] for fields in DECOYS)]):
        if set(candidate) <= set(names):
            at = [names.index(one) for one in candidate]
            counts: dict[Any, int] = {}
            for row in rows.values():
                raw = tuple(row[i] for i in at)
                counts[raw] = counts.get(raw, 0) + 10
            values[candidate] = counts
    hierarchy = find_hierarchy(values, TREE)
    assert hierarchy.fields == names
    for path, stands in zip(PATHS, order, strict=True):
        assert codes(hierarchy.path(rows[stands])) == list(path)


def test_candidates_are_each_field_alone_and_numbered_ones_together():
    found = candidates(["level10", "level2", "level1", "phone1", "unit3Code", "unit1Code", "unit1Name", "plain"])
    together = [fields for fields in found if len(fields) > 1]
    assert together == [("level1", "level2", "level10"), ("unit1Code", "unit3Code")]
    assert sorted(fields[0] for fields in found if len(fields) == 1) == sorted(
        ["level10", "level2", "level1", "phone1", "unit3Code", "unit1Code", "unit1Name", "plain"]
    )


def test_t27_a_missing_level_in_the_middle_stays_a_gap():
    for text in ('["Nord Salg",null,"Team 1"]', '[{"orgCode":"Nord Salg"},null,{"orgCode":"Team 1"}]'):
        hierarchy = find_hierarchy({("h",): {(text,): 1, ('["Nord Salg","Aarhus"]',): 9}}, TREE)
        assert codes(hierarchy.path((text,))) == ["Nord Salg", None, "Team 1"]


@pytest.mark.parametrize("raw", ["", None, "[]", "{}", '""', "[null]", "[null,null]", '[""]'])
def test_a_call_without_a_hierarchy_has_no_path(raw):
    hierarchy = find_hierarchy(pulled("strings", PATHS), TREE)
    assert hierarchy.path((raw,)) == []


@pytest.mark.parametrize("values", [{}, {("a",): {}}, {("a",): {("x",): 5}, ("b",): {(None,): 5}}])
def test_where_nothing_names_units_there_is_no_hierarchy(values):
    assert find_hierarchy(values, TREE).fields == ()


def test_without_known_units_nothing_is_found():
    assert find_hierarchy(pulled("strings", PATHS), OrgTree({})).fields == ()


def test_without_known_units_a_forced_field_is_read_all_the_same():
    hierarchy = find_hierarchy(pulled("strings", PATHS), OrgTree({}), "ZHierarchy")
    assert hierarchy.fields == ("zHierarchy",)
    assert codes(hierarchy.path((written(list(PATHS[0])),))) == list(PATHS[0])


def test_a_forced_field_wins_over_one_that_says_more():
    hierarchy = find_hierarchy(pulled("strings", PATHS), TREE, "REGION")
    assert hierarchy.fields == ("region",)
    assert codes(hierarchy.path(("Aarhus",))) == ["Aarhus"]


def test_a_forced_field_that_no_call_has_is_no_hierarchy():
    assert find_hierarchy(pulled("strings", PATHS), TREE, "other").fields == ()


def test_a_field_with_one_unit_a_call_does_not_pass_for_the_hierarchy_though_it_comes_more_often():
    values = {("decoy",): {("Team 1",): 25}, ("h",): {('["Nord Salg","Aarhus","Team 1"]',): 10}}
    assert find_hierarchy(values, TREE).fields == ("h",)


def test_a_code_with_a_separator_in_it_stays_whole():
    path = "Nord Salg > København A/S > Team 3"
    hierarchy = find_hierarchy({("h",): {("København A/S",): 5, (path,): 5}}, TREE)
    assert codes(hierarchy.path(("København A/S",))) == ["København A/S"]
    assert codes(hierarchy.path((path,))) == ["Nord Salg", "København A/S", "Team 3"]


@pytest.mark.parametrize("leaf_first", [False, True])
@pytest.mark.parametrize("shape", ["strings", "objects", "chain of parents"])
def test_a_hierarchy_that_ends_with_the_agent_is_found_and_stands_right(shape, leaf_first):
    longer = [(*path, f"t{i:02}abcd") for i, path in enumerate(PATHS)]
    order = [path[::-1] for path in longer] if leaf_first else longer
    hierarchy = find_hierarchy(pulled(shape, order), TREE)
    for path, stands in zip(longer, order, strict=True):
        assert codes(hierarchy.path((written(SHAPES[shape](stands)),))) in (list(path), list(path[:-1]))


def test_t24_a_code_with_a_separator_in_it_stays_whole_when_its_unit_is_gone_if_it_was_known_before():
    without = OrgTree.of([unit for unit in FLAT if unit["orgCode"] != "København A/S"])
    texts = {("h",): {("Nord Salg/Aarhus/Team 1",): 9, ("Nord Salg/København A/S/Team 3",): 1}}
    hierarchy = find_hierarchy(texts, without, codes=["KØBENHAVN A/S"])
    assert codes(hierarchy.path(("Nord Salg/København A/S/Team 3",))) == ["Nord Salg", "København A/S", "Team 3"]


@pytest.mark.parametrize("one", ["Gamle Salg A/S", "client C - Mødebooking", "Salg, Øst"])
def test_t24_a_field_of_one_unit_a_call_is_not_split_though_its_unit_is_gone(one):
    hierarchy = find_hierarchy({("h",): {("Aarhus",): 9, ("København A/S",): 9, (one,): 9}}, TREE)
    assert codes(hierarchy.path((one,))) == [one]


@pytest.mark.parametrize("spelled", ["A\u030arhus", "\u00c5rhus ", " \u00c5rhus\u00a0"])
def test_spellings_that_look_alike_are_one_unit(spelled):
    tree = OrgTree.of([{"orgCode": spelled, "name": "Aarhus"}, {"orgCode": "Team", "parent": "\u00c5rhus"}])
    assert codes(tree.path("Team")) == ["\u00c5rhus", "Team"]
    for raw in (json.dumps([spelled, "Team"]), json.dumps([{"orgCode": spelled}, {"orgCode": "Team "}])):
        assert codes(find_hierarchy({("h",): {(raw,): 3}}, tree).path((raw,))) == ["\u00c5rhus", "Team"]


@pytest.mark.parametrize("leaf_first", [False, True])
def test_the_agents_place_gives_the_direction_where_the_tree_gives_none(leaf_first):
    raw = json.dumps(["Team 1", "Aarhus", "anna"][:: -1 if leaf_first else 1])
    tree = OrgTree.of([{"orgCode": "Team 1"}, {"orgCode": "Aarhus"}])
    hierarchy = find_hierarchy({("h",): {(raw,): 3}}, tree, agents=["ANNA"])
    assert codes(hierarchy.path((raw,))) == ["Team 1", "Aarhus", "anna"]


def test_levels_that_are_members_of_one_object_stand_in_the_order_of_their_numbers_and_keep_what_is_gone():
    def of(*path: str) -> str:
        return json.dumps({f"level{n}": code for n, code in enumerate(path, 1)})

    texts = {(of("Nord Salg", "Aarhus", "Team 1"),): 9, (of("Nord Salg", "Gone", "Gone too"),): 1}
    hierarchy = find_hierarchy({("h",): texts}, TREE)
    assert codes(hierarchy.path((of("Nord Salg", "Gone", "Gone too"),))) == ["Nord Salg", "Gone", "Gone too"]


def likeliest(values: dict[str, list[str]]) -> tuple[str, ...]:
    tree = OrgTree.of([{"orgCode": "Root"}, {"orgCode": "Syd", "parent": "Root"}, {"orgCode": "Team", "parent": "Syd"}])
    texts = {(name,): {(text,): 1 for text in found} for name, found in values.items()}
    return find_hierarchy(texts, tree).fields


def test_t24_the_hierarchy_of_the_call_goes_before_the_agents_which_may_be_todays():
    user = (
        '{"orgCode": "a1", "orgUnit": {"orgCode": "Team", "parent": {"orgCode": "Syd", "parent": {"orgCode": "Root"}}}}'
    )
    assert likeliest({"orgHierarchy": ['["Root", "Closed team"]', '["Root", "Other closed"]'], "user": [user]}) == (
        "orgHierarchy",
    )
    assert likeliest({"ownerOrgUnit": ['{"orgCode": "Root"}'], "user": [user]}) == ("user",)
    assert likeliest(
        {"ownerOrgUnit": ['{"orgCode": "Root"}'], "orgs": ['[{"orgCode": "Root"}, {"orgCode": "Syd"}]']}
    ) == ("orgs",)


def test_where_no_unit_is_known_the_form_decides():
    listed = '[{"orgCode": "Gone", "name": "Gone"}, {"orgCode": "Gone too", "name": "Gone too"}]'
    assert likeliest({"orgHierarchy": [listed], "tags": ['["a", "b"]'], "user": ['{"orgCode": "a1"}']}) == (
        "orgHierarchy",
    )


def test_t27_a_level_without_a_code_is_a_gap():
    tree = OrgTree.of([{"orgCode": "Root"}, {"orgCode": "Team", "parent": "Root"}])
    for gap in ('{"orgCode": null}', "{}", '""', "null"):
        raw = (f'[{{"orgCode": "Root"}}, {gap}, {{"orgCode": "Team"}}]',)
        path = find_hierarchy({("orgs",): {raw: 1}}, tree).path(raw)
        assert [level.code for level in path] == ["Root", None, "Team"]
