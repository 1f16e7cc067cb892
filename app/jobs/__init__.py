"""When things happen: Redis, the queues, the tick, the workers. The database holds the truth; a job is a nudge."""
