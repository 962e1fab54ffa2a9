// The functions of work.h, bound by nanobind.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

extern "C" {
#include "work.h"
}

namespace nb = nanobind;
using Release = nb::call_guard<nb::gil_scoped_release>;
using Doubles = nb::ndarray<const double, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

namespace {

struct OwnedCounter {
    Counter *counter;
    explicit OwnedCounter(int64_t start) : counter(counter_new(start)) {}
    OwnedCounter(const OwnedCounter &) = delete;
    ~OwnedCounter() { counter_free(counter); }
};

struct OwnedAdder {
    Adder *adder;
    explicit OwnedAdder(int64_t start) : adder(adder_new(start)) {}
    OwnedAdder(const OwnedAdder &) = delete;
    ~OwnedAdder() { adder->Close(adder); }
    int64_t add(int64_t by) { return adder->Add(adder, by); }
};

struct State {};

int64_t call_python(int64_t i, void *data)
{
    return nb::cast<int64_t>(nb::handle((PyObject *)data)(i));  // an exception passes through work.c, built to let it
}

void copy(nb::bytes in, nb::bytearray out)
{
    if (in.size() != out.size()) {
        throw nb::value_error("in and out differ in length");
    }
    copy_bytes((const uint8_t *)in.data(), (uint8_t *)out.data(), in.size());
}

}  // namespace

NB_MODULE(bound_nanobind, m)
{
    m.def("nothing", &nothing);
    m.def("add", &add);
    m.def("add_shared", &add_shared);
    m.def("add_released", &add_released, Release());
    m.def("nap", &nap, Release());
    m.def("add_int32", &add_int32);
    m.def("add_doubles", &add_doubles);
    m.def("add_six", &add_six);
    m.def("add_mixed", &add_mixed);
    m.def("text_length", &text_length);
    m.def("greeting", &greeting);
    m.def("skip_byte", [](nb::bytes data) { return nb::bytes(skip_byte(data.c_str())); });
    m.def("sum", [](Doubles x) { return sum(x.data(), x.size()); });
    m.def("copy_bytes", &copy);
    m.def("call_many", [](int64_t count, nb::callable f) { return call_many(count, call_python, f.ptr()); });

    auto counter = nb::class_<OwnedCounter>(m, "Counter").def(nb::init<int64_t>());
    m.attr("counter_new") = counter;
    m.def("counter_value", [](OwnedCounter &owned) { return counter_value(owned.counter); });

    m.attr("adder_new") = nb::class_<OwnedAdder>(m, "Adder").def(nb::init<int64_t>()).def("Add", &OwnedAdder::add);

    nb::class_<State>(m, "State")
        .def(nb::init<>())
        .def_prop_rw("level", [](State &) { return level; }, [](State &, int64_t value) { level = value; });
}
