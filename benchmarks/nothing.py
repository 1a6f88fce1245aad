"""A run of the same shape that does nothing: what Dagster itself costs."""

from collections.abc import Iterable

import dagster as dg


def job_of_nothing(defs: dg.Definitions, wanted: Iterable[dg.AssetKey]) -> dg.JobDefinition:
    """Return a job of the same assets and checks whose steps do nothing: Dagster keeps as many results of it."""
    wanted = set(wanted)
    specs = {spec.key: spec for spec in defs.resolve_all_asset_specs()}

    def step(node):
        @dg.multi_asset(name=node.op.name, specs=[specs[key] for key in node.keys], can_subset=len(node.keys) > 1)
        def nothing(context: dg.AssetExecutionContext):
            for key in context.selected_asset_keys:
                yield dg.MaterializeResult(asset_key=key)

        return nothing

    def passing(node):
        specs = list(node.check_specs)

        @dg.multi_asset_check(name=node.op.name, specs=specs)
        def nothing():
            for spec in specs:
                yield dg.AssetCheckResult(passed=True, asset_key=spec.asset_key, check_name=spec.name)

        return nothing

    checks = [passing(node) for node in defs.asset_checks if {spec.asset_key for spec in node.check_specs} & wanted]
    nodes = [a for a in defs.assets if isinstance(a, dg.AssetsDefinition) and a.is_executable and set(a.keys) & wanted]
    job = dg.define_asset_job("nothing", dg.AssetSelection.assets(*wanted))
    assets = [step(node) for node in nodes]
    empty = dg.Definitions(assets, asset_checks=checks, jobs=[job], executor=dg.in_process_executor)
    return empty.resolve_job_def("nothing")
