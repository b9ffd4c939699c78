"""Tasks that are found because the project is an installed application."""

from __future__ import annotations

from celery import shared_task


@shared_task
def multiply(x, y):
    return x * y


@shared_task
def fail(text):
    raise ValueError(text)


@shared_task
def note(ledger, text):
    from django.conf import settings

    with (settings.FOLDER / ledger).open("a") as file:
        file.write(f"{text}\n")
