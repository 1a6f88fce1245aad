"""What a stack is asked over GraphQL, as the UI asks it."""

LOCATIONS = """
query { workspaceOrError { __typename
  ... on Workspace { locationEntries { name locationOrLoadError { __typename
    ... on RepositoryLocation { repositories { name } }
    ... on PythonError { message } } } }
} }
"""

DAEMONS = "query { instance { daemonHealth { allDaemonStatuses { daemonType required healthy lastHeartbeatTime } } } }"

LAUNCH_BACKFILL = """
mutation LaunchPartitionBackfill($params: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $params) { __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on Error { message }
} }
"""

CANCEL_BACKFILL = """
mutation CancelBackfill($id: String!) { cancelPartitionBackfill(backfillId: $id) { __typename
  ... on PythonError { message } } }
"""

BACKFILL = """
query Backfill($id: String!) { partitionBackfillOrError(backfillId: $id) { __typename
  ... on PartitionBackfill { id status numPartitions partitionNames timestamp endTimestamp isAssetBackfill
    error { message } assetSelection { path } tags { key value } }
  ... on Error { message }
} }
"""

PARTITIONS = """
query PartitionHealth($key: AssetKeyInput!) { assetNodeOrError(assetKey: $key) { __typename
  ... on AssetNode { partitionStats { numPartitions numMaterialized numFailed numMaterializing }
    assetPartitionStatuses { __typename ... on TimePartitionStatuses { ranges { startKey endKey status } } } }
} }
"""

CHECKS = """
query Checks($key: AssetKeyInput!) { assetNodeOrError(assetKey: $key) { __typename
  ... on AssetNode { assetChecksOrError { __typename
    ... on AssetChecks { checks { name executionForLatestMaterialization { status } } } } } } }
"""

RUNS = """
query Runs($filter: RunsFilter!) { runsOrError(filter: $filter, limit: 1000) { __typename
  ... on Runs { results { runId pipelineName status creationTime startTime endTime parentRunId tags { key value }
    assetSelection { path }
    stats { ... on RunStatsSnapshot { stepsSucceeded stepsFailed materializations } } } }
  ... on Error { message }
} }
"""

EVENTS = """
query Events($id: ID!, $after: String) { logsForRun(runId: $id, afterCursor: $after, limit: 1000) { __typename
  ... on EventConnection { cursor hasMore events { __typename
    ... on MessageEvent { message timestamp stepKey eventType }
    ... on ExecutionStepFailureEvent { error { ...error } failureMetadata { description } }
    ... on RunFailureEvent { error { ...error } }
  } } } }
fragment error on PythonError { message cause { message cause { message cause { message } } } }
"""

LAUNCH_RUN = """
mutation LaunchRun($params: ExecutionParams!) { launchRun(executionParams: $params) { __typename
  ... on LaunchRunSuccess { run { runId } } ... on Error { message } } }
"""

REEXECUTE = """
mutation Reexecute($params: ReexecutionParams!) { launchRunReexecution(reexecutionParams: $params) { __typename
  ... on LaunchRunSuccess { run { runId } } ... on Error { message } } }
"""

TERMINATE = """
mutation Terminate($id: String!, $policy: TerminateRunPolicy!) {
  terminateRun(runId: $id, terminatePolicy: $policy) { __typename
  ... on TerminateRunFailure { message } ... on Error { message } } }
"""

POOL = """
query Pool($pool: String!) { instance { concurrencyLimit(concurrencyKey: $pool) {
  limit usingDefaultLimit claimedSlots { runId stepKey } pendingSteps { runId stepKey assignedTimestamp } } } }
"""

SCHEDULES = """
query Schedules($repository: RepositorySelector!) { schedulesOrError(repositorySelector: $repository) { __typename
  ... on Schedules { results { name scheduleState { id status } } } ... on PythonError { message } } }
"""

TICKS = """
query Ticks($selector: ScheduleSelector!) { scheduleOrError(scheduleSelector: $selector) { __typename
  ... on Schedule { scheduleState { ticks(limit: 1000) { status timestamp skipReason runIds error { message } } } } } }
"""

SENSORS = """
query Sensors($repository: RepositorySelector!) { sensorsOrError(repositorySelector: $repository) { __typename
  ... on Sensors { results { name sensorState { id status } } } ... on PythonError { message } } }
"""

START_SCHEDULE = """
mutation StartSchedule($selector: ScheduleSelector!) { startSchedule(scheduleSelector: $selector) { __typename
  ... on Error { message } } }
"""

STOP_SCHEDULE = """
mutation StopSchedule($id: String!) { stopRunningSchedule(id: $id) { __typename ... on Error { message } } }
"""

START_SENSOR = """
mutation StartSensor($selector: SensorSelector!) { startSensor(sensorSelector: $selector) { __typename
  ... on Error { message } } }
"""

STOP_SENSOR = """
mutation StopSensor($id: String!) { stopSensor(id: $id) { __typename ... on Error { message } } }
"""
