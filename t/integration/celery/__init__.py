"""An unmodified Celery on our release: workers, faults, rolling upgrades, clients."""
