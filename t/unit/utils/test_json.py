"""JSON, and the matrix of old and new writers and readers.

The literal texts were written by kombu 5.7, 5.2 and 4.6.
"""

from __future__ import annotations

import decimal
import enum
import json as standard_json
import numbers
from collections import OrderedDict, namedtuple
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kombu.utils import json
from kombu.utils.json import JSONEncoder, dumps, loads, register_type

SOME_UUID = UUID("12345678123456781234567812345678")
PLUS_TWO = timezone(timedelta(hours=2))
Point = namedtuple("Point", "x y")


class Color(enum.IntEnum):
    RED = 1


class MyDatetime(datetime):
    pass


#: What kombu 5.7 writes for a value, which comes back equal.
WRITTEN_BY_5_7 = [
    (1, "1"),
    (1.5, "1.5"),
    (-0.0, "-0.0"),
    (10**30, "1000000000000000000000000000000"),
    (1e16, "1e+16"),
    (None, "null"),
    (True, "true"),
    ('é\u2028"\\/', '"\\u00e9\\u2028\\"\\\\/"'),
    ("\ud800", '"\\ud800"'),
    (b"abc", '{"__type__": "bytes", "__value__": "abc"}'),
    (b"\xff\xfe", '{"__type__": "base64", "__value__": "//4="}'),
    (
        datetime(2020, 1, 2, 3, 4, 5),
        '{"__type__": "datetime", "__value__": "2020-01-02T03:04:05"}',
    ),
    (
        datetime(2020, 1, 2, 3, 4, 5, 678901, tzinfo=timezone.utc),
        '{"__type__": "datetime", "__value__": "2020-01-02T03:04:05.678901+00:00"}',
    ),
    (
        datetime(2020, 1, 2, 3, 4, 5, tzinfo=PLUS_TWO),
        '{"__type__": "datetime", "__value__": "2020-01-02T03:04:05+02:00"}',
    ),
    (date(2020, 1, 2), '{"__type__": "date", "__value__": "2020-01-02"}'),
    (
        time(1, 2, 3, 456789),
        '{"__type__": "time", "__value__": "01:02:03.456789"}',
    ),
    (
        time(1, 2, 3, tzinfo=timezone.utc),
        '{"__type__": "time", "__value__": "01:02:03+00:00"}',
    ),
    (Decimal("1.10"), '{"__type__": "decimal", "__value__": "1.10"}'),
    (Decimal("1E+5"), '{"__type__": "decimal", "__value__": "1E+5"}'),
    (
        SOME_UUID,
        '{"__type__": "uuid", "__value__": '
        '{"hex": "12345678123456781234567812345678"}}',
    ),
    (
        {"nested": [{"d": date(2020, 1, 1), "b": b"x"}]},
        '{"nested": [{"d": {"__type__": "date", "__value__": "2020-01-01"}, '
        '"b": {"__type__": "bytes", "__value__": "x"}}]}',
    ),
]

#: What kombu 5.7 writes for a value that comes back as another one.
WRITTEN_ONE_WAY = [
    (float("nan"), "NaN"),
    (float("-inf"), "-Infinity"),
    (Point(1, 2), "[1, 2]"),
    (Color.RED, "1"),
    (MyDatetime(2020, 1, 1), dumps(datetime(2020, 1, 1))),
    ({1: 2}, '{"1": 2}'),
    ({None: 1, True: 2, 1.5: 3}, '{"null": 1, "true": 2, "1.5": 3}'),
    (OrderedDict(b=1, a=2), '{"b": 1, "a": 2}'),
    ((1, 2), "[1, 2]"),
    ({"__type__": "date", "__value__": "x"}, '{"__type__": "date", "__value__": "x"}'),
]

#: What kombu 4.6 and 5.2 write.
WRITTEN_BEFORE_5_3 = [
    (datetime(2020, 1, 2, 3, 4, 5), '"2020-01-02T03:04:05"'),
    (
        datetime(2020, 1, 2, 3, 4, 5, 678901, tzinfo=timezone.utc),
        '"2020-01-02T03:04:05.678901Z"',
    ),
    (datetime(2020, 1, 2, 3, 4, 5, tzinfo=PLUS_TWO), '"2020-01-02T03:04:05+02:00"'),
    (date(2020, 1, 2), '"2020-01-02T00:00:00"'),
    (time(1, 2, 3), '"01:02:03"'),
    (time(1, 2, 3, 456789), '"01:02:03.456789"'),
    (Decimal("1.10"), '"1.10"'),
    (SOME_UUID, '"12345678-1234-5678-1234-567812345678"'),
]

#: Other texts that kombu 5.3 and later have written or read.
ALSO_READ = [
    ('{"__type__":"date","__value__":"2020-01-02T00:00:00"}', date(2020, 1, 2)),
    ('{"__type__":"datetime","__value__":"2020-01-02"}', datetime(2020, 1, 2)),
    (
        '{"__type__":"datetime","__value__":"2020-01-02T03:04:05Z"}',
        datetime(2020, 1, 2, 3, 4, 5, tzinfo=timezone.utc),
    ),
    (
        '{"__type__":"datetime","__value__":"2020-01-02T03:04:05.678Z"}',
        datetime(2020, 1, 2, 3, 4, 5, 678000, tzinfo=timezone.utc),
    ),
    ('{"__type__":"time","__value__":"03:04:05.5"}', time(3, 4, 5, 500000)),
    ('{"__type__":"decimal","__value__":1.5}', Decimal("1.5")),
    (
        '{"__type__":"uuid","__value__":'
        '{"hex":"12345678123456781234567812345678","version":null}}',
        SOME_UUID,
    ),
    (
        '{"__type__":"uuid","__value__":"12345678-1234-5678-1234-567812345678"}',
        SOME_UUID,
    ),
    ('{"__type__":"bytes","__value__":"\\u00e9"}', b"\xc3\xa9"),
    ('{"\\u005f_type_\\u005F":"decimal","_\\u005fvalue__":"1"}', Decimal(1)),
    ('{"\\u005f\\u005ftype\\u005f\\u005f":"decimal","_\\u005fvalue_\\u005f":"1"}', 1),
]


@pytest.fixture(autouse=True)
def types_as_they_were():
    """Undo what a test registers."""
    encoders, decoders = dict(json._encoders), dict(json._decoders)
    yield
    for registered, before in (
        (json._encoders, encoders),
        (json._decoders, decoders),
    ):
        registered.clear()
        registered.update(before)


class test_matrix_of_writers_and_readers:
    @pytest.mark.parametrize(("value", "text"), WRITTEN_BY_5_7)
    def test_writes_as_5_7_does_and_reads_that(self, value, text):
        assert dumps(value) == text
        assert repr(loads(text)) == repr(value)
        assert repr(loads(text.encode())) == repr(value)

    @pytest.mark.parametrize(("value", "text"), WRITTEN_ONE_WAY)
    def test_writes_as_5_7_does(self, value, text):
        assert dumps(value) == text

    @pytest.mark.parametrize(("value", "text"), WRITTEN_BEFORE_5_3)
    def test_reads_strings_of_older_versions(self, value, text):
        assert loads(text) == standard_json.loads(text)

    @pytest.mark.parametrize(("value", "text"), WRITTEN_BEFORE_5_3)
    def test_writes_as_older_versions_do_if_asked_to(self, value, text):
        json.write_plain_types()

        assert dumps(value) == text

    @pytest.mark.parametrize(("text", "value"), ALSO_READ)
    def test_reads_other_forms(self, text, value):
        assert loads(text) == value

    @pytest.mark.parametrize(
        "text",
        [
            '{"__type__": "date"}',
            '{"__value__": 1}',
            '{"__type__": "date", "__value__": "2020-01-02", "extra": 1}',
            '{"bytes": "abc", "__bytes__": true}',
        ],
    )
    def test_leaves_other_objects_alone(self, text):
        assert loads(text) == standard_json.loads(text)


class test_dumps:
    @pytest.mark.parametrize(
        ("value", "message"),
        [
            (object(), "Object of type object is not JSON serializable"),
            ({1, 2}, "Object of type set"),
            (timedelta(1), "Object of type timedelta"),
            (bytearray(b"x"), "Object of type bytearray"),
            ({(1, 2): 3}, "keys must be str"),
        ],
    )
    def test_refuses_what_has_no_form(self, value, message):
        with pytest.raises(TypeError, match=message):
            dumps(value)

    def test_calls_the_method_json_of_an_object(self):
        class Model:
            def __json__(self):
                return {"on": date(2020, 1, 2)}

        assert dumps([Model()]) == (
            '[{"on": {"__type__": "date", "__value__": "2020-01-02"}}]'
        )

    def test_an_error_of_the_method_json_goes_through(self):
        class Model:
            def __json__(self):
                raise ValueError("from the model")

        with pytest.raises(ValueError, match="from the model"):
            dumps(Model())

    def test_refuses_circles(self):
        circle = []
        circle.append({"again": circle})

        with pytest.raises(ValueError, match="Circular reference"):
            dumps(circle)
        # and keeps no trace of them
        circle.clear()
        assert dumps(circle) == "[]"

    def test_the_same_object_twice_is_no_circle(self):
        inner = {"a": 1}

        assert dumps([inner, inner]) == '[{"a": 1}, {"a": 1}]'

    def test_options(self):
        value = {"b": 1, "a": b"x"}

        assert dumps(value, sort_keys=True, indent=1).startswith('{\n "a"')
        assert dumps({"a": 1}, separators=(",", ":")) == '{"a":1}'
        assert dumps("é", ensure_ascii=False) == '"é"'
        assert dumps({"b": 1, "a": 2}, default_kwargs={"sort_keys": True}) == (
            '{"a": 2, "b": 1}'
        )
        assert dumps([1], default_kwargs={"indent": 1}, indent=None) == "[1]"

    def test_another_function(self):
        calls = []

        assert dumps([1], _dumps=lambda *args, **kw: calls.append((args, kw))) is None
        assert calls == [(([1],), {"cls": JSONEncoder})]

    def test_another_encoder(self):
        class Encoder(JSONEncoder):
            def default(self, o):
                return "complex" if isinstance(o, complex) else super().default(o)

        assert dumps([1j, b"x"], cls=Encoder) == (
            '["complex", {"__type__": "bytes", "__value__": "x"}]'
        )
        with pytest.raises(TypeError):
            dumps([object()], cls=Encoder)
        with pytest.raises(TypeError):
            dumps(b"x", cls=standard_json.JSONEncoder)

    def test_the_encoder_works_alone(self):
        assert JSONEncoder().encode({"d": date(2020, 1, 2)}) == dumps(
            {"d": date(2020, 1, 2)}
        )

    def test_without_c_code(self, monkeypatch):
        monkeypatch.setattr(standard_json.encoder, "c_make_encoder", None)
        assert json._make_encode()([1, b"x"]) == dumps([1, b"x"])

    def test_with_c_code_that_takes_other_arguments(self, monkeypatch):
        make = standard_json.encoder.c_make_encoder

        def refuse(markers, *args):
            if markers is None:
                raise TypeError
            return make(markers, *args)

        monkeypatch.setattr(standard_json.encoder, "c_make_encoder", refuse)
        assert json._make_encode()([1, b"x"]) == (
            '[1, {"__type__": "bytes", "__value__": "x"}]'
        )


class test_loads:
    @pytest.mark.parametrize(
        "given_as", [str, str.encode, lambda s: bytearray(s.encode())]
    )
    @pytest.mark.parametrize("text", ['{"a": "é"}', ' {"a": "é"}\n'])
    def test_text_and_bytes(self, given_as, text):
        assert loads(given_as(text)) == {"a": "é"}

    def test_a_view_of_bytes(self):
        assert loads(memoryview(b"[1]")) == [1]

    def test_bytes_of_another_encoding(self):
        assert loads("[1]".encode("utf-16"), decode_bytes=False) == [1]
        with pytest.raises(UnicodeDecodeError):
            loads("[1]".encode("utf-16"))

    @pytest.mark.parametrize(
        "text", ["", "{", "[1,]", "[1] 2", "nope", "\ufeff[1]", '{"__type__"']
    )
    def test_errors_are_those_of_the_standard_library(self, text):
        with pytest.raises(standard_json.JSONDecodeError) as expected:
            standard_json.loads(text)
        with pytest.raises(standard_json.JSONDecodeError) as caught:
            loads(text)

        assert caught.value.args == expected.value.args

    @pytest.mark.parametrize("value", [5, None])
    def test_refuses_other_types(self, value):
        with pytest.raises(TypeError, match="must be str, bytes or bytearray"):
            loads(value)

    @pytest.mark.parametrize("marker", ['"nope"', "null", '["date"]', '{"a": 1}'])
    def test_an_unknown_type_is_named(self, marker):
        with pytest.raises(ValueError, match="Unsupported type .*register_type"):
            loads(f'{{"__type__": {marker}, "__value__": 1}}')

    @pytest.mark.parametrize(
        "text",
        [
            '{"__type__": "date", "__value__": "bogus"}',
            '{"__type__": "base64", "__value__": "//4"}',
        ],
    )
    def test_a_bad_value(self, text):
        with pytest.raises(ValueError):
            loads(text)

    def test_a_bad_value_of_another_type(self):
        with pytest.raises(TypeError):
            loads('{"__type__": "date", "__value__": null}')
        with pytest.raises(decimal.InvalidOperation):
            loads('{"__type__": "decimal", "__value__": "x"}')

    def test_another_hook(self):
        text = '{"__type__": "decimal", "__value__": "1"}'

        assert loads(text, object_hook=list) == ["__type__", "__value__"]
        assert loads(text, object_hook=None) == standard_json.loads(text)
        assert json.object_hook({"a": 1}) == {"a": 1}

    def test_another_function(self):
        assert loads("[1]", _loads=lambda s, object_hook: (s, object_hook)) == (
            "[1]",
            json.object_hook,
        )


class Base:
    def __init__(self, value):
        self.value = value


class Derived(Base):
    pass


class test_register_type:
    def test_is_written_and_read_back(self):
        register_type(Base, "base", lambda o: o.value, Base)

        assert dumps(Base(5)) == '{"__type__": "base", "__value__": 5}'
        assert loads(dumps(Base(5))).value == 5

    def test_holds_for_subclasses(self):
        register_type(Base, "base", lambda o: o.value)

        assert dumps(Derived(6)) == '{"__type__": "base", "__value__": 6}'

    def test_the_nearest_class_counts(self):
        register_type(Base, "base", lambda o: o.value)
        register_type(Derived, "derived", lambda o: [o.value])

        assert dumps(Derived(6)) == '{"__type__": "derived", "__value__": [6]}'
        assert dumps(Base(6)) == '{"__type__": "base", "__value__": 6}'

    def test_a_subclass_of_a_built_in_type_beats_it(self):
        register_type(
            MyDatetime, "mine", lambda o: o.year, lambda v: MyDatetime(v, 1, 1)
        )

        class Mine2(MyDatetime):
            pass

        assert (
            dumps(MyDatetime(2020, 1, 1)) == '{"__type__": "mine", "__value__": 2020}'
        )
        assert dumps(Mine2(2020, 1, 1)) == dumps(MyDatetime(2020, 1, 1))
        assert type(loads(dumps(Mine2(2020, 1, 1)))) is MyDatetime
        assert "datetime" in dumps(datetime(2020, 1, 1))

    def test_a_built_in_type_may_be_replaced(self):
        register_type(date, "date", lambda o: o.toordinal(), date.fromordinal)
        register_type(bytes, "hex", bytes.hex, bytes.fromhex)

        assert dumps(date(1, 1, 2)) == '{"__type__": "date", "__value__": 2}'
        assert loads(dumps(date(1, 1, 2))) == date(1, 1, 2)
        assert dumps(b"x") == '{"__type__": "hex", "__value__": "78"}'
        assert loads(dumps(b"x")) == b"x"

    def test_without_marker_the_value_is_bare(self):
        register_type(complex, None, str)

        assert dumps([1j]) == '["1j"]'

    def test_abstract_classes(self):
        register_type(numbers.Complex, "complex", lambda o: [o.real, o.imag])

        assert dumps(1j) == '{"__type__": "complex", "__value__": [0.0, 1.0]}'

    def test_a_subclass_of_bytes(self):
        class Blob(bytes):
            pass

        assert dumps(Blob(b"x")) == '{"__type__": "bytes", "__value__": "x"}'

    def test_plain_types_one_by_one(self):
        json.write_plain_types(UUID, Decimal)

        assert dumps([SOME_UUID, Decimal(1)]) == f'["{SOME_UUID}", "1"]'
        assert "__type__" in dumps(date(2020, 1, 2))

        json.write_typed_values()

        assert loads(dumps(SOME_UUID)) == SOME_UUID

    def test_there_are_plain_forms_of_some_types_only(self):
        with pytest.raises(ValueError, match="no plain form of complex"):
            json.write_plain_types(complex)

    def test_unknown_names_of_the_module(self):
        with pytest.raises(AttributeError):
            json.nothing


class test_first_use:
    """The types of the library are registered when they are first needed."""

    @pytest.fixture(autouse=True)
    def nothing_registered(self, monkeypatch, types_as_they_were):
        monkeypatch.setattr(json, "_has_default_types", False)
        json._encoders_by_type.clear()
        json._decoders_by_marker.clear()

    def test_writing(self):
        assert dumps(Decimal(1)) == '{"__type__": "decimal", "__value__": "1"}'

    def test_reading(self):
        assert loads('{"__type__": "decimal", "__value__": "1"}') == Decimal(1)

    def test_registering(self):
        register_type(Decimal, "mine", str, Decimal)

        assert dumps(Decimal(1)) == '{"__type__": "mine", "__value__": "1"}'
        assert loads(dumps(date(2020, 1, 2))) == date(2020, 1, 2)

    def test_looking(self):
        assert date in json._encoders
        assert "base64" in json._decoders


texts = st.text() | st.sampled_from(["__type__", "__value__", "_", "\\u005f"])
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | texts
    | st.binary()
    | st.dates()
    | st.datetimes(timezones=st.just(timezone.utc) | st.none())
    | st.times()
    | st.uuids()
    | st.decimals(allow_nan=False),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=100)
@given(values)
def test_any_value_comes_back(value):
    assert loads(dumps(value)) == value
    assert loads(dumps(value).encode()) == value


@settings(max_examples=50)
@given(values)
def test_the_direct_encoder_writes_as_the_class_does(value):
    assert dumps(value) == JSONEncoder().encode(value)
