from __future__ import annotations

import ssl

import pytest

from kombu.transport._tls import TLS, InvalidTLS


@pytest.mark.parametrize("options", [True, {}, {"ssl_version": None}])
def test_verifies_by_default(options):
    context = TLS(options).context

    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


@pytest.mark.parametrize("value", ["CERT_NONE", "none", "cert_none", ssl.CERT_NONE, 0])
def test_without_verifying(value):
    context = TLS({"ssl_cert_reqs": value}).context

    assert context.verify_mode is ssl.CERT_NONE
    assert not context.check_hostname


@pytest.mark.parametrize("value", [False, "false", "0", "no"])
def test_without_the_name(value):
    context = TLS({"check_hostname": value}).context

    assert context.verify_mode is ssl.CERT_REQUIRED
    assert not context.check_hostname


def test_context_is_taken_as_it_is():
    context = ssl.create_default_context()

    assert TLS(context).context is context
    assert TLS({"context": context, "server_hostname": "x"}).context is context


def test_name_to_ask_for():
    assert TLS({"server_hostname": "broker"}).server_hostname == "broker"


def test_versions():
    tls = TLS({"tls_minimum_version": ssl.TLSVersion.TLSv1_3})

    assert tls.context.minimum_version is ssl.TLSVersion.TLSv1_3
    assert repr(tls) == "<TLS: CERT_REQUIRED>"


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"ca_cert": "x"}, "did you mean 'ca_certs'"),
        ({"colour": "x"}, "unknown TLS option 'colour'"),
        ({"cert_reqs": "CERT_MAYBE"}, "CERT_REQUIRED"),
    ],
)
def test_what_means_nothing(options, text):
    with pytest.raises(InvalidTLS, match=text):
        TLS(options)


def test_options_of_the_caller_stay():
    options = {"server_hostname": "broker"}

    TLS(options)

    assert options == {"server_hostname": "broker"}
