"""Whose requests a budget counts: a site's own, or those of several that share a quota."""

from pathlib import Path

from herobase_pipeline.assets.site import Site
from herobase_pipeline.pulling import account
from herobase_pipeline.sites import all_settings
from herobase_pipeline_tests.conftest import site

SEEDS = {"nord": 1, "syd": 2}


def test_quotas_are_a_sites_own_unless_a_setting_says_that_they_are_one(project: Path):
    login = ("HEROBASE_URL=https://one.example", "HEROBASE_PASSWORD=b", "HEROBASE_PII_KEY=c")
    for name in SEEDS:
        site(project, name, *login, f"HEROBASE_USERNAME={name}")
    nord, syd = (Site(settings, name) for name, settings in all_settings().items())
    assert nord.pool != syd.pool
    assert account.herobase(nord.settings).budget is not account.herobase(syd.settings).budget
    for name in SEEDS:
        site(project, name, *login, f"HEROBASE_USERNAME={name}", "HEROBASE_QUOTA=tenant")
    nord, syd = (Site(settings, name) for name, settings in all_settings().items())
    assert nord.pool == syd.pool == "tenant_herobase_api"
    budget = account.herobase(nord.settings).budget
    assert account.herobase(syd.settings).budget is budget
    assert budget.file.parent == project / "data"


def test_sandboxes_of_two_sites_have_each_its_own_quota(project: Path):
    for name, seed in SEEDS.items():
        site(project, name, f"HEROBASE_SANDBOX_SEED={seed}")
    nord, syd = (account.herobase(settings).budget for settings in all_settings().values())
    assert nord is not syd
