"""The application, which takes its settings from Django."""

from __future__ import annotations

import os

from celery import Celery, signals

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "django_project.settings")

app = Celery("django_project")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@signals.worker_ready.connect
def tell_ready(sender, **_):
    from django.conf import settings

    (settings.FOLDER / f"ready-{sender.hostname}").touch()
