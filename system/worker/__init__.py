"""The Celery side: the app, its tasks, and what a pool process keeps between two tasks."""
