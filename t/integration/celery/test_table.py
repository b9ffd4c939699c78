"""The page of the user guide is as the tests are."""

import pytest

from t.integration.celery.table import PAGE, TITLES, page
from t.integration.celery.test_features import PLACES, names_for


@pytest.mark.skipif(
    not PAGE.exists(), reason="it is published when all that it tells of has passed"
)
def test_page_is_as_it_would_be_written():
    assert PAGE.read_text(encoding="utf-8") == page()


def test_every_feature_has_a_title():
    run = {name for place in PLACES for name in names_for(*place.split("-"))}
    assert run == set(TITLES)
