"""Settings of Django; what begins with CELERY_ are those of Celery."""

from __future__ import annotations

import json
import os
from pathlib import Path

_given = json.loads(Path(os.environ["CELERY_TEST_SETTINGS"]).read_text())

FOLDER = Path(_given["folder"])

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(FOLDER / "django.db"),
        "OPTIONS": {"timeout": 60},
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = (
    "django.contrib.contenttypes",
    "django_celery_results",
    "django_celery_beat",
    "django_project",
)
SECRET_KEY = "for tests only"
USE_TZ = True

CELERY_BROKER_URL = _given["broker_url"]
CELERY_BROKER_TRANSPORT_OPTIONS = _given.get("broker_transport_options", {})
CELERY_RESULT_BACKEND = "django-db"
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
CELERY_BEAT_MAX_LOOP_INTERVAL = 1
