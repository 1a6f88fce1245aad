"""Labels of units, campaigns and agents to group and compare by: one each, whatever it was called and wherever it lay."""

from typing import TYPE_CHECKING, Any

from herobase_pipeline.lake.catalogue import view
from herobase_pipeline.lake.engine import bare
from herobase_pipeline.reading.days import DAYS, SITE, recall
from herobase_pipeline.sites import ONLY
from herobase_pipeline.tables import USERS

if TYPE_CHECKING:
    import pandas as pd

_NO_CAMPAIGN = "(no campaign)"
_NOBODY = "(no agent)"


def labelled(*frames: "pd.DataFrame") -> Any:
    """Return frames with ``unit``, ``campaign`` and ``person``: the label of each unit, campaign and agent in them.

    A unit is its code, whatever its case, within its site: one that was renamed or moved is compared with itself, and two of
    one name are two (trap T26). A campaign is its id. The label is the latest name in all the frames that are given together;
    where several have that name, its code stands behind it, and its site if there are several. An agent is the code, whatever
    its case; the label is the name on the latest list of users in the lake that the frame was read from, or else the code.

    Args:
        frames: of pandas, with ``org_code`` and ``org_name``, with ``campaign_id``, ``campaign_code`` and ``campaign_name``, with
            ``agent``, or with several of these, as ``read`` gives them. A frame without them gets no label.

    Returns:
        The frame with its labels; for several frames a list of them.

    """
    found = [frame.copy() for frame in frames]
    _label(found, "unit", "org_code", "org_name", "org_code", None)
    _label(found, "campaign", "campaign_id", "campaign_name", "campaign_code", _NO_CAMPAIGN)
    for frame in (frame for frame in found if "agent" in frame):
        frame["_name"] = _keys(frame, "agent").map(_names_of_users(frame))
    _label(found, "person", "agent", "_name", "agent", _NOBODY)
    found = [frame.drop(columns="_name", errors="ignore") for frame in found]
    return found if len(found) > 1 else found[0]


def _label(frames: "list[pd.DataFrame]", label: str, key: str, name: str, code: str, nothing: str | None) -> None:
    """Add a label to each frame that has the key; what has no key is called ``nothing``, or else what its row says."""
    import pandas as pd

    told = [frame for frame in frames if key in frame and name in frame]
    if not told:
        return
    rows = pd.concat(
        [
            pd.DataFrame(
                {
                    "key": _keys(frame, key),
                    "name": frame[name],
                    "code": _codes(frame, code if code in frame else key),
                    "day": next((frame[day] for day in DAYS if day in frame), None),
                }
            )
            for frame in told
        ]
    )
    latest = rows.dropna(subset=["key"]).sort_values("day", kind="stable").drop_duplicates("key", keep="last")
    if latest.empty:  # nobody and nothing has a key
        latest = latest.astype("str")
    names = latest["name"].fillna(latest["code"]).fillna(latest["key"])
    unnamed = rows.loc[rows["key"].isna(), "name"].dropna().unique() if nothing is None else [nothing]
    shared = names.duplicated(keep=False) | names.isin(unnamed)
    labels = names.where(~shared, names + " (" + latest["code"].fillna(latest["key"]) + ")")
    by_key = dict(zip(latest["key"], labels, strict=True))
    for frame in told:
        others = frame[name] if nothing is None else [nothing] * len(frame)
        keys = _keys(frame, key)
        frame[label] = pd.Series(
            [by_key.get(of, other) for of, other in zip(keys, others, strict=True)], index=frame.index, dtype="str"
        )


def _names_of_users(frame: "pd.DataFrame") -> dict[str, str]:
    """Return the name of each user by the code, as ``_keys`` gives it, on the latest list in the lakes of a frame."""
    names: dict[str, str] = {}
    for site, read in recall(frame).items():
        days = read.lake.days(USERS)[-1:]
        with bare() as con:
            users = con.execute(f"SELECT lower(org_code), name FROM ({view(read.lake, USERS, days)})").fetchall()
        prefix = f"{site}/" if site != ONLY else ""
        names |= {prefix + code: name for code, name in users if code and name}
    return names


def _keys(frame: "pd.DataFrame", key: str) -> "pd.Series[str]":
    """Return what tells units or campaigns apart: their code or id, of several sites with the site's name."""
    keys: pd.Series[str] = frame[key].astype("str").str.lower()
    return keys if (site := _site_of(frame)) is None else site + "/" + keys


def _codes(frame: "pd.DataFrame", code: str) -> "pd.Series[str]":
    """Return what stands behind a name that several have."""
    codes: pd.Series[str] = frame[code]
    return codes if (site := _site_of(frame)) is None else codes + ", " + site


def _site_of(frame: "pd.DataFrame") -> Any:
    """Return whose rows they are: of a frame that was read of one site its name; None for an only account."""
    if SITE in frame:
        return frame[SITE]
    names = list(recall(frame))
    return names[0] if len(names) == 1 and names[0] != ONLY else None
