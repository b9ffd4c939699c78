from __future__ import annotations

import ssl
import urllib.parse

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from kombu.exceptions import InvalidURL, KombuError
from kombu.utils import url as url_module
from kombu.utils.url import (
    as_url,
    maybe_sanitize_url,
    parse_ssl_cert_reqs,
    parse_url,
    sanitize_url,
    url_to_parts,
)


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        (
            "amqp://user:pass@localhost:5672/my/vhost",
            ("amqp", "localhost", 5672, "user", "pass", "my/vhost", {}),
        ),
        ("amqp://", ("amqp", None, None, None, None, None, {})),
        ("amqp://h", ("amqp", "h", None, None, None, None, {})),
        ("amqp://h/", ("amqp", "h", None, None, None, None, {})),
        ("amqp://h//", ("amqp", "h", None, None, None, "/", {})),
        ("amqp://h//foo", ("amqp", "h", None, None, None, "/foo", {})),
        ("amqp://h/%2Ffoo", ("amqp", "h", None, None, None, "/foo", {})),
        (
            "amqp://us%40er:pa%2Fss%23@ho%20st:5672/v%20h?a=1",
            ("amqp", "ho st", 5672, "us@er", "pa/ss#", "v h", {"a": "1"}),
        ),
        ("amqp://u:@h", ("amqp", "h", None, "u", None, None, {})),
        ("amqp://:p@h", ("amqp", "h", None, None, "p", None, {})),
        ("amqp://@h", ("amqp", "h", None, None, None, None, {})),
        ("amqp://u:p@w:x%zz@h", ("amqp", "h", None, "u", "p@w:x%zz", None, {})),
        ("amqp://u:p@[::1]:5672/v", ("amqp", "::1", 5672, "u", "p", "v", {})),
        ("amqp://[::1]/v", ("amqp", "::1", None, None, None, "v", {})),
        (
            "amqp://[fe80::1%25eth0]:5/v",
            ("amqp", "fe80::1%eth0", 5, None, None, "v", {}),
        ),
        ("amqp://h:/v", ("amqp", "h", None, None, None, "v", {})),
        ("amqp://h:0/v", ("amqp", "h", 0, None, None, "v", {})),
        (
            "AMQP://Host.EXAMPLE.com/V",
            ("amqp", "host.example.com", None, None, None, "V", {}),
        ),
        ("amqp://ü:ö%C3%B6@HÖST/ä", ("amqp", "höst", None, "ü", "öö", "ä", {})),
        ("amqp://h/a?x=1&x=2&y=&z", ("amqp", "h", None, None, None, "a", {"x": "2"})),
        (
            "amqp://u+v:p+q@h/a+b?c=d+e%26",
            ("amqp", "h", None, "u+v", "p+q", "a+b", {"c": "d e&"}),
        ),
        ("amqp://h:5672?x=1", ("amqp", "h", 5672, None, None, None, {"x": "1"})),
        ("amqp://u:p@h/v#part", ("amqp", "h", None, "u", "p", "v", {})),
        ("amqp://h/a@b", ("amqp", "h", None, None, None, "a@b", {})),
        (" amqp://u:p@h/v\n", ("amqp", "h", None, "u", "p", "v", {})),
        ("amqp://u:p@h\n/v", ("amqp", "h", None, "u", "p", "v", {})),
        (
            "redis+socket:///tmp/redis.sock",
            ("redis+socket", None, None, None, None, "tmp/redis.sock", {}),
        ),
        (
            "redis+socket://u:pw@/tmp/r.sock?virtual_host=2",
            (
                "redis+socket",
                None,
                None,
                "u",
                "pw",
                "tmp/r.sock",
                {"virtual_host": "2"},
            ),
        ),
        (
            "mongodb+srv://u:p@cluster.example.net/db?retryWrites=true",
            (
                "mongodb+srv",
                "cluster.example.net",
                None,
                "u",
                "p",
                "db",
                {"retryWrites": "true"},
            ),
        ),
        (
            "mongodb://u:p@h1,h2:27018/db",
            ("mongodb", "h1,h2", 27018, "u", "p", "db", {}),
        ),
        (
            "sqla+postgresql+psycopg2://u:p@h/db",
            ("sqla+postgresql+psycopg2", "h", None, "u", "p", "db", {}),
        ),
        ("sqs://AKIA:se%2Fcret@", ("sqs", None, None, "AKIA", "se/cret", None, {})),
        ("localhost", ("", "localhost", None, None, None, None, {})),
        ("localhost:5672/v", ("", "localhost", 5672, None, None, "v", {})),
        ("h/p?next=a://b", ("", "h", None, None, None, "p", {"next": "a://b"})),
        ("", ("", None, None, None, None, None, {})),
    ],
)
def test_url_to_parts(url, parts):
    assert tuple(url_to_parts(url)) == parts


@pytest.mark.parametrize(
    ("url", "character", "code"),
    [
        ("amqp://alice:sec/ret@host/v", "/", "%2F"),
        ("amqp://alice:sec#ret@host/v", "#", "%23"),
        ("amqp://alice:sec?ret@host/v", "?", "%3F"),
        ("amqp://alice:sec[ret@host/v", "[", "%5B"),
        ("amqp://alice:sec]ret@host/v", "]", "%5D"),
        ("amqp://alice:/secret@host/v", "/", "%2F"),
        ("amqp://alice:?secret@host/v", "?", "%3F"),
        ("amqp://alice:#secret@host/v", "#", "%23"),
        ("amqp://al#ice:secret@host/v", "#", "%23"),
        ("amqp://alice:12345/secret@x#y@host/v", "#", "%23"),
        ("amqp://ho[st", "[", "%5B"),
    ],
)
def test_an_unescaped_character_is_named_and_the_secret_is_not(url, character, code):
    with pytest.raises(InvalidURL) as caught:
        parse_url(url)

    text = str(caught.value)
    assert repr(character) in text
    assert code in text
    for secret in ("sec", "ret", "ice", "host"):
        assert secret not in text
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, KombuError)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize(
    "url",
    [
        "amqp://h:notaport/",
        "amqp://h:99999/",
        "amqp://h:+5/",
        "amqp://h:٣/",
        "zookeeper://h1:2181,h2:2181/root",
        "amqp://[::1]5672/",
    ],
)
def test_a_bad_port_is_an_error_that_does_not_show_it(url):
    with pytest.raises(InvalidURL) as caught:
        url_to_parts(url)

    assert "notaport" not in str(caught.value)


def test_an_ipv6_address_needs_both_brackets():
    with pytest.raises(InvalidURL, match="brackets"):
        url_to_parts("amqp://[::1/v")


class test_parse_url:
    def test_names_of_the_arguments(self):
        assert parse_url("amqp://u:p@h:5/v?heartbeat=10&x=None") == {
            "transport": "amqp",
            "hostname": "h",
            "port": 5,
            "userid": "u",
            "password": "p",
            "virtual_host": "v",
            "heartbeat": "10",
            "x": "None",
        }

    def test_ssl_options(self):
        parsed = parse_url(
            "rediss://h/1?ssl_cert_reqs=CERT_OPTIONAL&ssl_ca_certs=/a/b.pem"
            "&ssl_check_hostname=False&ssl_keyfile_password=x"
        )

        assert parsed["ssl"] == {
            "ssl_cert_reqs": ssl.CERT_OPTIONAL,
            "ssl_ca_certs": "/a/b.pem",
            "ssl_check_hostname": False,
            "ssl_keyfile_password": "x",
        }
        assert "ssl_ca_certs" not in parsed

    def test_only_false_is_false(self):
        assert parse_url("rediss://h?ssl_check_hostname=0")["ssl"] == {
            "ssl_check_hostname": True
        }

    def test_ssl_as_a_value(self):
        assert parse_url("amqp://h?ssl=true")["ssl"] == "true"

    def test_no_ssl_without_options(self):
        assert "ssl" not in parse_url("amqps://h")

    def test_the_query_may_name_missing_parts(self):
        parsed = parse_url("redis://h?virtual_host=9&password=zz&port=7")

        assert parsed["virtual_host"] == "9"
        assert parsed["password"] == "zz"
        assert parsed["port"] == 7

    @pytest.mark.parametrize(
        "query",
        ["virtual_host=9", "password=zz", "hostname=x", "transport=y", "port=1"],
    )
    def test_the_query_must_not_contradict(self, query):
        with pytest.raises(InvalidURL, match=query.partition("=")[0]) as caught:
            parse_url(f"redis://u:p@h:6379/0?{query}")

        assert "zz" not in str(caught.value)

    def test_a_socket_with_a_database(self):
        parsed = parse_url("redis+socket:///tmp/redis.sock?virtual_host=2")

        assert parsed["hostname"] == "/tmp/redis.sock"
        assert parsed["virtual_host"] == "2"

    def test_a_socket_alone(self):
        parsed = parse_url("redis+socket:///tmp/redis.sock")

        assert parsed["hostname"] is None
        assert parsed["virtual_host"] == "tmp/redis.sock"


@pytest.mark.parametrize(
    ("text", "constant"),
    [
        ("CERT_NONE", ssl.CERT_NONE),
        ("none", ssl.CERT_NONE),
        ("CERT_OPTIONAL", ssl.CERT_OPTIONAL),
        ("optional", ssl.CERT_OPTIONAL),
        ("CERT_REQUIRED", ssl.CERT_REQUIRED),
        ("Required", ssl.CERT_REQUIRED),
    ],
)
def test_parse_ssl_cert_reqs(text, constant):
    assert parse_ssl_cert_reqs(text) is constant


@pytest.mark.parametrize("text", ["bogus", "", "0", None])
def test_parse_ssl_cert_reqs_names_the_choices(text):
    with pytest.raises(KeyError) as caught:
        parse_ssl_cert_reqs(text)

    assert isinstance(caught.value, InvalidURL)
    assert str(caught.value).startswith("ssl_cert_reqs must be CERT_REQUIRED")


class test_as_url:
    @pytest.mark.parametrize(
        ("arguments", "expected"),
        [
            (("amqp",), "amqp:///"),
            (("amqp", "h"), "amqp://h/"),
            (("amqp", "h", 5672, "u", "pw", "/"), "amqp://u:pw@h:5672//"),
            (("amqp", "h", 5672, "u@", "p/w"), "amqp://u%40:p%2Fw@h:5672/"),
            (("amqp", "h", 0, None, "pw", "v"), "amqp://:pw@h/v"),
            (("amqp", "h", "5672", "u", "", "//v"), "amqp://u@h:5672///v"),
            (("amqp", None, 5, "", None, "v"), "amqp://:5/v"),
            (("mongodb", "h1,h2", None, None, None, "a/b"), "mongodb://h1%2Ch2/a/b"),
            (("amqp", "::1", 5), "amqp://[::1]:5/"),
            (("amqp", "[::1]", 5), "amqp://[::1]:5/"),
            (("amqp", "fe80::1%eth0"), "amqp://[fe80::1%25eth0]/"),
            (("amqp", "cafe:5672"), "amqp://cafe%3A5672/"),
            (
                ("amqp", "h", None, None, None, "a b%;?#ü"),
                "amqp://h/a%20b%25%3B%3F%23ü",
            ),
            (
                ("amqp", "h", None, None, None, "v", {"a": 1, "b": "x y&"}),
                "amqp://h/v?a=1&b=x+y%26",
            ),
        ],
    )
    def test_encodes_what_has_to_be(self, arguments, expected):
        assert as_url(*arguments) == expected

    def test_masks_secrets(self):
        url = as_url(
            "amqp",
            "h",
            user="u",
            password="pw",
            query={"password": "x1", "ssl_keyfile_password": "x2", "access_key": "x3"},
            sanitize=True,
        )

        assert url == (
            "amqp://u:**@h/?password=**&ssl_keyfile_password=**&access_key=**"
        )

    @pytest.mark.parametrize(("mask", "shown"), [("XX", "XX"), ("", ""), (None, "")])
    def test_any_mask(self, mask, shown):
        url = as_url("amqp", "h", password="pw", sanitize=True, mask=mask)

        assert url == f"amqp://:{shown}@h/"

    @settings(max_examples=100)
    @given(
        user=st.text(), password=st.text(), path=st.text(), query=st.text(min_size=1)
    )
    @example(user="", password="#/?[]@:%41%", path="//;?#%2F ", query="a&b=c#;+")
    @example(user=" \n", password="\t", path="\x85\n \x00", query="\n")
    def test_any_text_comes_back(self, user, password, path, query):
        url = as_url("amqp", "host", 5672, user, password, path, {query: query})
        parts = url_to_parts(url)

        assert parts.username == (user or None)
        assert parts.password == (password or None)
        assert parts.path == (path or None)
        assert parts.query == {query: query}
        assert (parts.hostname, parts.port) == ("host", 5672)

    @settings(max_examples=50)
    @given(host=st.text(min_size=1))
    def test_any_host_comes_back(self, host):
        assume(host == host.lower() and not host.startswith("["))
        assert url_to_parts(as_url("amqp", host)).hostname == host


class test_sanitize_url:
    @pytest.mark.parametrize(
        ("url", "shown"),
        [
            ("amqp://u:secret@h:5672/v", "amqp://u:**@h:5672/v"),
            ("amqp://u:secret@h//", "amqp://u:**@h//"),
            ("amqp://:secret@h", "amqp://:**@h/"),
            ("amqp://u@h", "amqp://u@h/"),
            ("amqp://", "amqp:///"),
            ("amqp://u:secret@h/v?password=secret&x=1", "amqp://u:**@h/v"),
            ("amqp://u:p%40secret@[::1]:5/v", "amqp://u:**@[::1]:5/v"),
            ("amqp://u:secret@w@h/v", "amqp://u:**@h/v"),
            ("amqp://u:sec/ret@h/v", "amqp://u:**@h/v"),
            ("amqp://u:sec#ret@h/v?password=secret", "amqp://u:**@h/v"),
            ("amqp://u:sec[ret@h/v", "amqp://u:**@h/v"),
            ("amqp://u:12/secret@h/v", "amqp://u:**@h/v"),
            ("amqp://u:p@sec/ret@h/v", "amqp://u:**@h/v"),
            ("amqp://u:p@sec?ret@h/v", "amqp://u:**@h/v"),
            ("redis://u:secret@h/0?client_name=a@b", "redis://u:**@h/0"),
            ("amqp://u:secret", "amqp://u:**"),
            ("amqp://[h/?password=secret", "amqp://[h/"),
            ("mongodb://u:secret@h1:1,h2:2/db", "mongodb://u:**@h1:1,h2:2/db"),
            (
                "amqp://u:secret@h/v;amqp://u:secret@h2/w",
                "amqp://u:**@h/v;amqp://u:**@h2/w",
            ),
            ("amqp://u:p;a://secret@h/v", "amqp://u:**@h/v"),
            ("amqp://u:sec;ret@h/v", "amqp://u:**@h/v"),
            ("azureservicebus://policy:sec/ret=@ns", "azureservicebus://policy:**@ns"),
            (
                "azurestoragequeues://sec/ret==@https://acc.example.net",
                "azurestoragequeues://**@https://acc.example.net",
            ),
            ("azurestoragequeues://secret", "azurestoragequeues://**"),
        ],
    )
    def test_shows_no_secret(self, url, shown):
        assert sanitize_url(url) == shown
        assert maybe_sanitize_url(url) == shown

    def test_another_mask(self):
        assert sanitize_url("amqp://u:p@h/v", mask="xx") == "amqp://u:xx@h/v"

    @settings(max_examples=100)
    @given(st.text(alphabet="ab:/@?#[]%; \n", max_size=20))
    def test_never_raises_nor_leaks(self, password):
        url = f"amqp://user:{password}SECRET@host/vhost"

        assert "SECRET" not in sanitize_url(url)
        assert "SECRET" not in maybe_sanitize_url(url)

    @settings(max_examples=100)
    @given(st.text())
    def test_takes_any_text(self, text):
        assert isinstance(sanitize_url(text), str)


def test_maybe_sanitize_url_leaves_other_things_alone():
    assert maybe_sanitize_url("localhost") == "localhost"
    assert maybe_sanitize_url(None) is None
    assert maybe_sanitize_url(5) == 5
    assert maybe_sanitize_url(["amqp://u:p@h", "x"]) == ["amqp://u:**@h/", "x"]
    assert maybe_sanitize_url(("amqp://u:p@h",), mask="") == ("amqp://u:@h/",)


def test_names_that_others_import():
    assert url_module._parse_url is url_to_parts
    assert url_module.urlparse is urllib.parse.urlparse
    assert url_module.quote is urllib.parse.quote
    assert url_module.parse_qsl is urllib.parse.parse_qsl
    assert url_module.safequote("a/b c") == "a%2Fb%20c"
    assert url_module.unquote("a%20b") == "a b"
    with pytest.raises(AttributeError):
        url_module.nothing
