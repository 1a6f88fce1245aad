"""What the workers are told of Celery; dagster-celery looks for a module of this name. It lies on their PYTHONPATH."""

import os

broker_url = os.environ["DAGSTER_REDIS_URL"]
result_backend = broker_url
worker_disable_prefetch = True  # a worker that is at work, or dies, keeps no other run from the others
worker_send_task_events = False
broker_connection_retry_on_startup = True
