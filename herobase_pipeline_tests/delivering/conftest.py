"""A call centre of some days whose successes are handed on."""

import datetime as dt
import shutil

import pytest

from herobase_pipeline.settings import SANDBOX_HERO_KEY, SANDBOX_HERON_KEY

FIRST, LAST = "2026-11-16", "2026-11-19"
PULLED = "calls,private/call_phones,simple_leads,private/lead_data"


@pytest.fixture(scope="session")
def loaded():
    """The lakes that were loaded already, by the words of their sandbox."""
    return {}


@pytest.fixture
def delivering(centre, tmp_path, tmp_path_factory, loaded):
    """A centre of some days, whose leads are made, and the folder of its deliveries."""
    folder = tmp_path / "deliveries"
    folder.mkdir()

    def start(**words):
        here = centre(
            settings={"deliveries_dir": folder, "start_date": dt.date(2026, 11, 1), **words.pop("settings", {})},
            **words,
        )
        box = here.sandbox
        reached = {"hero_url": box.hero_url, "hero_api_key": SANDBOX_HERO_KEY}
        reached |= {"heron_url": box.heron_url, "heron_api_key": SANDBOX_HERON_KEY}
        here.settings = type(here.settings)(
            **{name: getattr(here.settings, name) for name in here.settings.model_fields_set} | reached
        )
        if (world := repr(words)) in loaded:
            shutil.copytree(loaded[world], here.lake.root, dirs_exist_ok=True)
        else:
            here.load(PULLED, FIRST, LAST)
            here.load("leads")
            loaded[world] = tmp_path_factory.mktemp("loaded") / "data"
            shutil.copytree(here.lake.root, loaded[world])
        return here, folder

    return start
