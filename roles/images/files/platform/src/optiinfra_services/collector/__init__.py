"""The data collector: an API, Celery beat that schedules and workers that do the collecting."""
