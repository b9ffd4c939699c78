"""The page of the user guide is as the tests are."""

from __future__ import annotations

from t.integration.celery.table import (
    COMPLETE,
    FEATURES,
    PAGE,
    PROOFS,
    brokers_of,
    page,
)
from t.integration.celery.test_features import PLACES, names_for


def test_page_is_as_it_would_be_written():
    assert PAGE.read_text(encoding="utf-8") == page()


def test_every_feature_has_a_title():
    run = {name for place in PLACES for name in names_for(*place.split("-"))}
    assert run == set(FEATURES)


def test_every_test_is_in_the_table():
    there = {
        (module, name)
        for module in COMPLETE
        for name in vars(module)
        if name.startswith("test_") and callable(getattr(module, name))
    }
    assert there <= {(proof.module, proof.test) for proof in PROOFS}


def test_brokers_are_named_once():
    for proof in PROOFS:
        assert bool(proof.brokers) != bool(brokers_of(proof.module, proof.test)), proof
