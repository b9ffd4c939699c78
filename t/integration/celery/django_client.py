"""What a Django process does: ``python django_client.py NAME``."""

from __future__ import annotations

import os
import sys

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "django_project.settings")

import django

django.setup()

PATIENCE = 60


def results():
    """Results and failures are rows of the database, and are got from there."""
    from django_celery_results.models import TaskResult
    from django_project.tasks import fail, multiply

    sent = [multiply.delay(number, 2) for number in range(10)]
    assert [each.get(timeout=PATIENCE) for each in sent] == [*range(0, 20, 2)]
    failed = fail.delay("as it should")
    try:
        failed.get(timeout=PATIENCE)
    except ValueError as exc:
        assert str(exc) == "as it should"
    else:
        raise AssertionError("no failure")
    rows = {row.task_id: row for row in TaskResult.objects.all()}
    assert rows.keys() == {failed.id, *(each.id for each in sent)}
    assert {rows[each.id].status for each in sent} == {"SUCCESS"}
    assert rows[sent[3].id].result == "6"
    assert rows[failed.id].status == "FAILURE"


def chords():
    """The database counts the headers of a chord."""
    from celery import chord
    from django_project.tasks import multiply

    header = [multiply.s(number, 1) for number in range(5)]
    done = chord(header, multiply.s(2))()
    assert done.get(timeout=PATIENCE) == [*range(5), *range(5)]


def schedule():
    """A task is to be sent every second."""
    from django_celery_beat.models import IntervalSchedule, PeriodicTask

    every, _ = IntervalSchedule.objects.get_or_create(
        every=1, period=IntervalSchedule.SECONDS
    )
    PeriodicTask.objects.create(
        interval=every,
        name="tick",
        task="django_project.tasks.note",
        args='["ticks", "tick"]',
    )


if __name__ == "__main__":
    {"results": results, "chords": chords, "schedule": schedule}[sys.argv[1]]()
