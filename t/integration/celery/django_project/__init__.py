"""A Django project with Celery, laid out as the documentation of Celery says."""

from django_project.celery import app as celery_app

__all__ = ("celery_app",)
